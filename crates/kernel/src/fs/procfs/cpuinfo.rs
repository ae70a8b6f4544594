//! `/proc/cpuinfo`: what the guest's `cpuid` says, in the words of Linux's arch/x86/kernel/cpu/proc.c.
//!
//! The processor is described once more here because the kernel knows no translator; the guest test
//! `proc/cpuinfo_flags.c` compares the flags with what the instruction answers.

use std::fmt::Write;

/// Feature names as Linux spells them, in the order of its feature words. `ht` joins with several processors.
pub(crate) const FLAGS: &str = "fpu tsc pae cx8 apic pge cmov pat clflush mmx fxsr sse sse2 syscall nx pdpe1gb rdtscp lm \
     constant_tsc rep_good nopl xtopology nonstop_tsc cpuid pni ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt xsave avx f16c \
     lahf_lm abm 3dnowprefetch fsgsbase bmi1 avx2 bmi2 erms xsaveopt xsavec xgetbv1 arat umip fsrm";

/// Its name, `cpuid` leaves 8000_0002 to 8000_0004.
pub(crate) const MODEL_NAME: &str = "belljar x86-64-v3 processor";

/// The text for so many processors of virtual addresses with so many bits.
pub(crate) fn text(processors: u32, address_bits: u32) -> Vec<u8> {
    let flags = if processors > 1 { FLAGS.replacen("sse2 ", "sse2 ht ", 1) } else { FLAGS.to_string() };
    let mut text = String::new();
    for processor in 0..processors {
        let _ = write!(
            text,
            "processor\t: {processor}\n\
             vendor_id\t: GenuineIntel\n\
             cpu family\t: 6\n\
             model\t\t: 60\n\
             model name\t: {MODEL_NAME}\n\
             stepping\t: 3\n\
             cpu MHz\t\t: 1000.000\n\
             cache size\t: 8192 KB\n\
             physical id\t: 0\n\
             siblings\t: {processors}\n\
             core id\t\t: {processor}\n\
             cpu cores\t: {processors}\n\
             apicid\t\t: {processor}\n\
             initial apicid\t: {processor}\n\
             fpu\t\t: yes\n\
             fpu_exception\t: yes\n\
             cpuid level\t: 13\n\
             wp\t\t: yes\n\
             flags\t\t: {flags}\n\
             bugs\t\t:\n\
             bogomips\t: 2000.00\n\
             clflush size\t: 64\n\
             cache_alignment\t: 64\n\
             address sizes\t: 39 bits physical, {} bits virtual\n\
             power management:\n\n",
            address_bits.max(48)
        );
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_has_a_paragraph_and_several_have_hyper_threading() {
        let one = String::from_utf8(text(1, 48)).unwrap();
        let three = String::from_utf8(text(3, 57)).unwrap();
        assert_eq!(one.matches("processor\t:").count(), 1);
        assert_eq!(three.matches("\n\nprocessor\t:").count(), 2);
        assert!(!one.contains(" ht "));
        assert!(three.contains(" sse2 ht syscall "));
        assert!(three.contains("57 bits virtual"));
    }
}
