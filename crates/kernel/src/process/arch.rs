//! arch_prctl(2): the bases of the fs and gs segments, where C libraries keep thread-local storage.

use crate::entry::Call;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use abi::Errno;
use abi::process::{
    ARCH_GET_CPUID, ARCH_GET_FS, ARCH_GET_GS, ARCH_GET_XCOMP_PERM, ARCH_GET_XCOMP_SUPP, ARCH_REQ_XCOMP_PERM,
    ARCH_SET_CPUID, ARCH_SET_FS, ARCH_SET_GS,
};

/// arch_prctl(2).
pub(crate) fn arch_prctl(call: &mut Call, code: i32, address: u64) -> SysResult {
    let end = call.kernel.configuration.paging.user_end();
    let registers = &mut call.current().registers;
    match code {
        ARCH_SET_FS | ARCH_SET_GS if address >= end => {
            Err(Errno::EPERM.because("the address is outside the program's addresses"))
        }
        ARCH_SET_FS => {
            registers.fs_base = address;
            Flow::OK
        }
        ARCH_SET_GS => {
            registers.gs_base = address;
            Flow::OK
        }
        ARCH_GET_FS | ARCH_GET_GS => {
            let base = if code == ARCH_GET_FS { registers.fs_base } else { registers.gs_base };
            call.write(UserPtr::new(address), &base)?;
            Flow::OK
        }
        ARCH_GET_CPUID => Ok(Flow::Done(1)),
        ARCH_SET_CPUID => Err(Errno::ENODEV.because("the processor cannot refuse cpuid")),
        ARCH_GET_XCOMP_SUPP | ARCH_GET_XCOMP_PERM => {
            // x87, SSE, AVX.
            call.write::<u64>(UserPtr::new(address), &7)?;
            Flow::OK
        }
        ARCH_REQ_XCOMP_PERM => Err(Errno::EOPNOTSUPP.because("the processor has no state to be asked for")),
        _ => Err(Errno::EINVAL.because("the processor has no such feature")),
    }
}
