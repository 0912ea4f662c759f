//! Which events have landed: the identities of each month in their order, in bounded memory.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::Path;

use crate::error::{Error, Result};
use crate::zone::Month;

/// How many identities are in memory before the months least recently asked about go to disk: 256 MB.
pub(super) const RESIDENT_MAX: usize = 16 << 20;

const IDENTITY_BYTES: usize = size_of::<u128>();

/// Tells events that are new from those that the lake, or an earlier line, has already.
///
/// Sorted lists take 16 bytes an event and are merged once for each file that is written; sets would take two to three
/// times as much, and a wait for memory at each event.
pub(super) struct Identities<'l> {
    /// The identities of a month that the lake has, in any order.
    landed: Box<dyn FnMut(Month) -> Result<Vec<u128>> + 'l>,
    /// Where months go that are not in memory: the disk of the lake, since that of temporary files may be memory.
    folder: &'l Path,
    months: HashMap<Month, Known>,
    resident_max: usize,
    asked: u64,
}

impl fmt::Debug for Identities<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identities").field("months", &self.months.len()).finish()
    }
}

struct Known {
    /// The higher, the more recently.
    asked: u64,
    held: Held,
}

enum Held {
    InMemory(Vec<u128>),
    /// A file without a name, which goes with the process.
    OnDisk(File),
}

impl<'l> Identities<'l> {
    pub(super) fn new(
        folder: &'l Path,
        resident_max: usize,
        landed: impl FnMut(Month) -> Result<Vec<u128>> + 'l,
    ) -> Self {
        let months = HashMap::new();
        Self { landed: Box::new(landed), folder, months, resident_max, asked: 0 }
    }

    /// Says which events of a month are new: of those with one identity the first, and none that is known. All are known
    /// from then on.
    pub(super) fn admit(&mut self, month: Month, identities: &[u128]) -> Result<Vec<bool>> {
        let known = match self.months.remove(&month).map(|known| known.held) {
            Some(Held::InMemory(known)) => known,
            Some(Held::OnDisk(file)) => {
                recall(file).map_err(Error::io("read identities in", self.folder))?
            }
            None => {
                let mut landed = (self.landed)(month)?;
                landed.sort_unstable();
                landed
            }
        };
        let (is_new, known) = admit(&known, identities);
        self.asked += 1;
        self.months.insert(month, Known { asked: self.asked, held: Held::InMemory(known) });
        self.make_room()?;
        Ok(is_new)
    }

    /// Brings months to disk until the others fit, but for the one that was asked about last.
    fn make_room(&mut self) -> Result<()> {
        let resident = |known: &Known| match &known.held {
            Held::InMemory(known) => known.len(),
            Held::OnDisk(_) => 0,
        };
        let mut held: usize = self.months.values().map(resident).sum();
        while held > self.resident_max {
            let others = self.months.values_mut().filter(|known| known.asked < self.asked);
            let oldest = others.filter(|known| resident(known) > 0).min_by_key(|known| known.asked);
            let Some(oldest) = oldest else { break };
            if let Held::InMemory(known) = &oldest.held {
                held -= known.len();
                let file = put_away(self.folder, known)
                    .map_err(Error::io("write identities in", self.folder))?;
                oldest.held = Held::OnDisk(file);
            }
        }
        Ok(())
    }
}

/// Which identities are neither among the known, in their order, nor earlier in the list; and all of both in order.
fn admit(known: &[u128], identities: &[u128]) -> (Vec<bool>, Vec<u128>) {
    let mut places: Vec<(u128, u32)> =
        identities.iter().zip(0..).map(|(identity, place)| (*identity, place)).collect();
    places.sort_unstable();
    let mut is_new = vec![false; identities.len()];
    let mut all = Vec::with_capacity(known.len() + identities.len());
    let mut known = known;
    for (identity, place) in places {
        // Where few come to many, what lies between two is passed over in steps that double.
        let mut step = 1;
        while known.get(step).is_some_and(|known| *known < identity) {
            step *= 2;
        }
        let within = &known[..known.len().min(step + 1)];
        let smaller = within.partition_point(|known| *known < identity);
        all.extend_from_slice(&known[..smaller]);
        known = &known[smaller..];
        if known.first() != Some(&identity) && all.last() != Some(&identity) {
            is_new[place as usize] = true;
            all.push(identity);
        }
    }
    all.extend_from_slice(known);
    (is_new, all)
}

fn put_away(folder: &Path, identities: &[u128]) -> std::io::Result<File> {
    let mut file = BufWriter::new(tempfile::tempfile_in(folder)?);
    for identity in identities {
        file.write_all(&identity.to_le_bytes())?;
    }
    let mut file = file.into_inner()?;
    file.rewind()?;
    Ok(file)
}

fn recall(file: File) -> std::io::Result<Vec<u128>> {
    let count = file.metadata()?.len() as usize / IDENTITY_BYTES;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut identities = Vec::with_capacity(count);
    let mut bytes = [0; IDENTITY_BYTES];
    for _ in 0..count {
        file.read_exact(&mut bytes)?;
        identities.push(u128::from_le_bytes(bytes));
    }
    Ok(identities)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::*;

    fn month(number: u32) -> Month {
        Month::of(NaiveDate::from_ymd_opt(2025, number, 1).unwrap())
    }

    /// Identities of months, as they come; few enough that many come twice, and of all sizes.
    fn batches() -> impl Strategy<Value = Vec<(u32, Vec<u128>)>> {
        let identity = prop_oneof![
            0_u128..40,
            Just(u128::MAX),
            any::<u8>().prop_map(|high| u128::from(high) << 120)
        ];
        let batch = (1_u32..5, proptest::collection::vec(identity, 0..30));
        proptest::collection::vec(batch, 0..20)
    }

    proptest! {
        #[test]
        fn an_identity_is_new_once_however_little_fits_into_memory(
            landed in proptest::collection::vec(0_u128..60, 0..30),
            batches in batches(),
            resident_max in 0_usize..60,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut identities =
                Identities::new(folder.path(), resident_max, |_| Ok(landed.clone()));
            let mut seen: HashSet<(u32, u128)> =
                (1..5).flat_map(|number| landed.iter().map(move |known| (number, *known))).collect();
            for (number, batch) in batches {
                let is_new = identities.admit(month(number), &batch).unwrap();
                let expected: Vec<bool> =
                    batch.iter().map(|identity| seen.insert((number, *identity))).collect();
                prop_assert_eq!(is_new, expected);
            }
        }
    }

    #[test]
    fn months_that_do_not_fit_are_on_disk_and_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut identities = Identities::new(folder.path(), 3, |_| Ok(Vec::new()));
        for number in 1..4 {
            assert_eq!(identities.admit(month(number), &[1, 2, 3]).unwrap(), [true; 3]);
        }
        let on_disk =
            identities.months.values().filter(|known| matches!(known.held, Held::OnDisk(_)));
        assert_eq!(on_disk.count(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(identities.admit(month(1), &[3, 4]).unwrap(), [false, true]);
    }
}
