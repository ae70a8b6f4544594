//! arch_prctl(2): the bases of the fs and gs segments, where C libraries keep thread-local storage.

use crate::entry::Call;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use abi::Errno;

const ARCH_SET_GS: i32 = 0x1001;
const ARCH_SET_FS: i32 = 0x1002;
const ARCH_GET_FS: i32 = 0x1003;
const ARCH_GET_GS: i32 = 0x1004;
const ARCH_GET_CPUID: i32 = 0x1011;

/// arch_prctl(2). What a processor without the feature (AMX, shadow stacks) knows nothing of answers `EINVAL`.
pub(crate) fn arch_prctl(call: &mut Call, operation: i32, address: u64) -> SysResult {
    match operation {
        ARCH_SET_FS | ARCH_SET_GS => {
            let space = call.space();
            if address >= call.kernel.spaces[space].table.scheme().user_end() {
                return Err(Errno::EPERM.because("the base lies outside of the address space"));
            }
            let registers = &mut call.current().registers;
            let base = if operation == ARCH_SET_FS { &mut registers.fs_base } else { &mut registers.gs_base };
            *base = address;
            Flow::OK
        }
        ARCH_GET_FS => {
            let base = call.current().registers.fs_base;
            call.write(UserPtr::new(address), &base)?;
            Flow::OK
        }
        ARCH_GET_GS => {
            let base = call.current().registers.gs_base;
            call.write(UserPtr::new(address), &base)?;
            Flow::OK
        }
        // cpuid may be executed.
        ARCH_GET_CPUID => Ok(Flow::Done(1)),
        _ => Err(Errno::EINVAL.because("the processor has no such feature")),
    }
}
