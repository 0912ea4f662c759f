//! Remembers what metrics have been asked about one state of a lake.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;

use crate::metric::catalogue::{Choice, Metric};
use crate::metric::evaluate::{Evidence, Request, Sample};

/// A metric and all that it is asked for, as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Question([u8; 32]);

impl Question {
    /// A question for each choice, in the place of the request's own.
    pub(super) fn each(metric: &Metric, request: &Request<'_>, choices: &[Choice]) -> Vec<Self> {
        let Request { periods, scopes, parameters: _, as_of } = request;
        let mut hasher = blake3::Hasher::new();
        // A metric of another catalogue may have the same id.
        hasher.update(format!("{metric:?}").as_bytes());
        hasher.update(format!("{periods:?} {scopes:?} {as_of:?}").as_bytes());
        let of_choice = |choice: &Choice| {
            let mut hasher = hasher.clone();
            hasher.update(format!("{choice:?}").as_bytes());
            Self(*hasher.finalize().as_bytes())
        };
        choices.iter().map(of_choice).collect()
    }
}

/// What has been asked about one state of a lake; it goes with that state.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    answers: HashMap<Question, Arc<[Sample]>>,
    samples: usize,
    /// The first rows behind numbers, by how many were asked for at most; persons and parties by their own names.
    evidence: HashMap<(Question, usize), Evidence>,
    evidence_rows: usize,
}

impl Answers {
    /// Some 100 bytes each.
    const SAMPLES_MAX: usize = 1_000_000;

    /// Some 300 bytes each.
    const EVIDENCE_ROWS_MAX: usize = 200_000;

    /// How many samples are remembered.
    pub(crate) fn samples(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).samples
    }

    pub(super) fn get(&self, question: &Question) -> Option<Arc<[Sample]>> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.answers.get(question).map(Arc::clone)
    }

    pub(super) fn evidence(&self, question: Question, limit: usize) -> Option<Evidence> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.evidence.get(&(question, limit)).cloned()
    }

    /// As for samples.
    pub(super) fn keep_evidence(&self, question: Question, limit: usize, evidence: Evidence) {
        let rows = evidence.rows.num_rows();
        if rows > Self::EVIDENCE_ROWS_MAX {
            return;
        }
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.evidence_rows + rows > Self::EVIDENCE_ROWS_MAX {
            remembered.evidence.clear();
            remembered.evidence_rows = 0;
        }
        if remembered.evidence.insert((question, limit), evidence).is_none() {
            remembered.evidence_rows += rows;
        }
    }

    /// When it would remember too much, it forgets everything else: what is asked again comes back soon.
    pub(super) fn keep(&self, question: Question, samples: Arc<[Sample]>) {
        if samples.len() > Self::SAMPLES_MAX {
            return;
        }
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.samples + samples.len() > Self::SAMPLES_MAX {
            remembered.answers.clear();
            remembered.samples = 0;
        }
        let count = samples.len();
        if remembered.answers.insert(question, samples).is_none() {
            remembered.samples += count;
        }
    }
}
