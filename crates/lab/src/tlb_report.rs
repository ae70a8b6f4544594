//! What the model of a TLB counted: `--tlb`.

use crate::text;
use machine::tlb_model::{Accesses, Counts, FlushCause, TlbModel};
use std::collections::BTreeMap;

/// The report. `names` says who an owner is: number and name.
pub fn render(model: &TlbModel, names: &BTreeMap<u64, (String, String)>) -> String {
    let shape = model.shape();
    let (sets, ways) = (text::count(shape.sets as u64, "set"), text::count(shape.ways as u64, "entry"));
    let switch = if shape.is_tagged { "tagged with address spaces" } else { "emptied when address spaces switch" };
    let mut out = format!(
        "\nmodelled TLB: {sets} of {ways}, for instructions and data, least recently used first out, {switch}\n"
    );
    let head = ["process", "", "fetches", "misses", "", "faults", "data accesses", "misses", "", "faults"];
    let mut table = vec![head.map(str::to_string).to_vec()];
    let mut all = Counts::default();
    let owners = model.by_owner();
    for (owner, counts) in &owners {
        all.add(counts);
        let (pid, name) = names.get(owner).cloned().unwrap_or_default();
        table.push(row(pid, name, counts));
    }
    if owners.len() > 1 {
        table.push(row("all".to_string(), String::new(), &all));
    }
    out.push_str(&text::columns(&table, &[0, 1]));
    let mut table = vec![["flushed by", "times", "entries lost"].map(str::to_string).to_vec()];
    for cause in FlushCause::ALL {
        if let Some(flushes) = model.flushes().get(&cause) {
            table.push(vec![cause.name().to_string(), text::number(flushes.times), text::number(flushes.lost)]);
        }
    }
    if table.len() > 1 {
        out.push_str(&text::columns(&table, &[0]));
    }
    out
}

fn row(pid: String, name: String, counts: &Counts) -> Vec<String> {
    let mut row = vec![pid, name];
    for Accesses { hits, misses, faults } in [counts.fetches, counts.data] {
        let total = hits + misses + faults;
        let rate = 100.0 * misses as f64 / total.max(1) as f64;
        row.extend([text::number(total), text::number(misses), format!("{rate:.3}%"), text::number(faults)]);
    }
    row
}
