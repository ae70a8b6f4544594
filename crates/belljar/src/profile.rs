//! `--profile`: what the translator did, for those who work on it.

use x86::Statistics;

/// The counts as text.
pub fn render(statistics: &Statistics) -> String {
    let Statistics { blocks, restored, instructions, hot_bytes, cold_bytes, translation_ns, .. } = *statistics;
    let each = translation_ns.checked_div(instructions).unwrap_or(0);
    let Statistics { steps, misses, dispatches, invalidations, resets, .. } = *statistics;
    format!(
        "{restored} blocks restored; {blocks} translated, {instructions} instructions in {} us, {each} ns each, to \
         {hot_bytes} + {cold_bytes} bytes\n  {steps} steps, {misses} misses, {dispatches} dispatches, {invalidations} \
         pages of code written, {resets} resets",
        translation_ns / 1000,
    )
}
