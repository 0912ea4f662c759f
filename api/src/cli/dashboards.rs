//! `lawpulse dashboards`: what Grafana is to show.

use std::io::Write as _;

use anyhow::Context as _;
use pipeline::definition::Definitions;
use pipeline::metric::Catalogue;

use super::DashboardsArgs;
use crate::boards;

pub(super) fn run(args: &DashboardsArgs, definitions: &Definitions) -> anyhow::Result<()> {
    let catalogue = Catalogue::load(definitions)?;
    let dashboards = boards::dashboards(args.from.as_deref(), &catalogue)?;
    for dashboard in &dashboards {
        let path = args.out.join(&dashboard.path);
        let cannot = || format!("failed to write `{}`", path.display());
        let folder = path.parent().unwrap_or(&args.out);
        std::fs::create_dir_all(folder).with_context(cannot)?;
        let text = format!("{:#}\n", dashboard.model);
        std::fs::write(&path, text).with_context(cannot)?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "wrote {} dashboards to {}", dashboards.len(), args.out.display())?;
    Ok(())
}
