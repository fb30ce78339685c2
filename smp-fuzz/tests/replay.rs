//! Every target on its seeds and on changed ones. `SMP_FUZZ_INPUTS` says how many inputs in all, `SMP_FUZZ_SEED` which.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

use peak_alloc::PeakAlloc;
use smp_fuzz::TARGETS;
use smp_fuzz::replay::replay;
use smp_fuzz::seeds::Vectors;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Inputs of a run that takes some seconds without optimisation.
const INPUTS: u64 = 100_000;

fn variable(name: &str) -> Option<u64> {
    let number = |text: String| text.parse().unwrap_or_else(|_| panic!("{name} is not a number"));
    std::env::var(name).ok().map(number)
}

/// One test for all targets: memory is measured for the whole process, so nothing else may run in it.
#[test]
fn no_input_panics_or_takes_more_memory_than_allowed() {
    let vectors = Vectors::of_workspace().unwrap();
    let inputs = variable("SMP_FUZZ_INPUTS").unwrap_or(INPUTS).div_ceil(TARGETS.len() as u64);
    for target in TARGETS {
        let report = replay(target, &vectors, inputs, variable("SMP_FUZZ_SEED").unwrap_or(0), MEMORY);
        println!("{}: {} seeds, {} inputs", report.name, report.seeds, report.inputs);
    }
}
