//! Page faults: finds the area and fills the page, or says which signal the access earns.

use crate::entry::Call;
use crate::mm::AddressSpace;
use crate::table::Id;
use machine::PageFault;

/// An access that no area permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAccess {
    /// SIGSEGV with SEGV_MAPERR: nothing is mapped there.
    Unmapped,
    /// SIGSEGV with SEGV_ACCERR: the area forbids it.
    Forbidden,
    /// SIGBUS with BUS_ADRERR: the page lies behind the end of the file, or could not be read.
    BeyondFile,
    /// SIGKILL: no memory is left for it.
    OutOfMemory,
}

/// Serves a fault, so that the access succeeds when it is repeated.
///
/// # Errors
/// [`BadAccess`] if it cannot.
pub fn handle(_call: &mut Call, _space: Id<AddressSpace>, _fault: PageFault) -> Result<(), BadAccess> {
    Err(BadAccess::Unmapped)
}
