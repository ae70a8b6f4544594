//! sendfile(2), splice(2), tee(2), vmsplice(2), copy_file_range(2).

use super::transfer::read_vector;
use crate::entry::Call;
use crate::fs::splice::{self, End, Source, Splice, SpliceMemory};
use crate::fs::{Fd, FileDescription, FileObject, ops};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::fcntl::{Iovec, MAX_RW_COUNT, O_APPEND};
use abi::{Errno, Error};

/// `SPLICE_F_NONBLOCK`, splice(2).
const SPLICE_F_NONBLOCK: u32 = 2;
/// All flags of splice(2): MOVE, NONBLOCK, MORE, GIFT.
const SPLICE_F_ALL: u32 = 15;

fn readable(call: &Call, fd: Fd) -> Result<Id<FileDescription>, Error> {
    let file = call.usable_file(fd)?;
    if !call.kernel.files[file].is_readable() {
        return Err(Errno::EBADF.because("the source is not open for reading"));
    }
    Ok(file)
}

fn writable(call: &Call, fd: Fd) -> Result<Id<FileDescription>, Error> {
    let file = call.usable_file(fd)?;
    if !call.kernel.files[file].is_writable() {
        return Err(Errno::EBADF.because("the target is not open for writing"));
    }
    Ok(file)
}

/// An end of a transfer, with the offset that the guest gives, if it gives one.
fn end(call: &mut Call, file: Id<FileDescription>, offset: UserPtr<u64>) -> Result<End, Error> {
    let given = match offset.given() {
        None => None,
        Some(at) => {
            let offset = call.read(at)?;
            if offset > i64::MAX as u64 {
                return Err(Errno::EINVAL.because("the offset is negative"));
            }
            Some(offset)
        }
    };
    Ok(End { file, offset: given, report: offset })
}

/// sendfile(2).
pub(crate) fn sendfile(call: &mut Call, output: Fd, input: Fd, offset: UserPtr<u64>, count: u64) -> SysResult {
    let input = readable(call, input)?;
    let output = writable(call, output)?;
    let from = call.kernel.files[input].object;
    if !ops::has_offset(call, input) {
        return Err(match offset.given() {
            Some(_) => Errno::ESPIPE.because("the source has no offsets"),
            None => Errno::EINVAL.because("the source is no file that could be mapped"),
        });
    }
    if !matches!(from, FileObject::Inode(inode) if call.kernel.vfs.inodes[inode].is_regular()) {
        return Err(Errno::EINVAL.because("the source is no file that could be mapped"));
    }
    if call.kernel.files[output].flags & O_APPEND != 0 {
        return Err(Errno::EINVAL.because("the target is open for appending"));
    }
    let nowait = call.kernel.files[output].is_nonblocking();
    let input = end(call, input, offset)?;
    let output = End { file: output, offset: None, report: UserPtr::new(0) };
    let left = count.min(MAX_RW_COUNT);
    // Into a pipe goes what fits.
    let whole = splice::pipe_of(call.kernel.files[output.file].object).is_none();
    start(call, Splice { input, output, left, done: 0, source: Source::Taken, nowait, whole })
}

fn start(call: &mut Call, operation: Splice) -> SysResult {
    call.hold(operation.input.file);
    call.hold(operation.output.file);
    ops::start(call, operation)
}

/// splice(2). One of the two is a pipe.
pub(crate) fn splice(
    call: &mut Call,
    input: Fd,
    input_offset: UserPtr<u64>,
    output: Fd,
    output_offset: UserPtr<u64>,
    length: u64,
    flags: u32,
) -> SysResult {
    if length == 0 {
        return Flow::OK;
    }
    if flags & !SPLICE_F_ALL != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let input = readable(call, input)?;
    let output = writable(call, output)?;
    let pipe_in = splice::pipe_of(call.kernel.files[input].object);
    let pipe_out = splice::pipe_of(call.kernel.files[output].object);
    for (pipe, file, offset) in [(pipe_in, input, input_offset), (pipe_out, output, output_offset)] {
        if offset.given().is_some() && pipe.is_some() {
            return Err(Errno::ESPIPE.because("a pipe has no offsets"));
        }
        if offset.given().is_some() && !ops::has_offset(call, file) {
            return Err(Errno::EINVAL.because("the file has no offsets"));
        }
    }
    match (pipe_in, pipe_out) {
        (None, None) => return Err(Errno::EINVAL.because("neither file is a pipe")),
        (Some(from), Some(to)) if from == to => {
            return Err(Errno::EINVAL.because("both files are the same pipe"));
        }
        _ => {}
    }
    if pipe_out.is_none() && call.kernel.files[output].flags & O_APPEND != 0 {
        return Err(Errno::EINVAL.because("the target is open for appending"));
    }
    let waits_not = |file: Id<FileDescription>| call.kernel.files[file].is_nonblocking();
    let nowait = flags & SPLICE_F_NONBLOCK != 0 || waits_not(input) || waits_not(output);
    let input = end(call, input, input_offset)?;
    let output = end(call, output, output_offset)?;
    let left = length.min(MAX_RW_COUNT);
    start(call, Splice { input, output, left, done: 0, source: Source::Taken, nowait, whole: false })
}

/// tee(2).
pub(crate) fn tee(call: &mut Call, input: Fd, output: Fd, length: u64, flags: u32) -> SysResult {
    if flags & !SPLICE_F_ALL != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    if length == 0 {
        return Flow::OK;
    }
    let input = readable(call, input)?;
    let output = writable(call, output)?;
    let from = splice::pipe_of(call.kernel.files[input].object);
    let to = splice::pipe_of(call.kernel.files[output].object);
    if from.is_none() || to.is_none() || from == to {
        return Err(Errno::EINVAL.because("two different pipes are needed"));
    }
    let waits_not = |file: Id<FileDescription>| call.kernel.files[file].is_nonblocking();
    let nowait = flags & SPLICE_F_NONBLOCK != 0 || waits_not(input) || waits_not(output);
    let input = End { file: input, offset: None, report: UserPtr::new(0) };
    let output = End { file: output, offset: None, report: UserPtr::new(0) };
    let left = length.min(MAX_RW_COUNT);
    start(call, Splice { input, output, left, done: 0, source: Source::Kept, nowait, whole: false })
}

/// vmsplice(2). Pages are copied, given or not: the guest cannot tell, but by changing them too early.
pub(crate) fn vmsplice(call: &mut Call, fd: Fd, vector: UserPtr<Iovec>, count: u64, flags: u32) -> SysResult {
    if flags & !SPLICE_F_ALL != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let file = call.usable_file(fd)?;
    let description = &call.kernel.files[file];
    let Some(pipe) = splice::pipe_of(description.object) else {
        return Err(Errno::EBADF.because("the file is no pipe"));
    };
    let writes = description.is_writable();
    let buffer = read_vector(call, vector, count)?;
    let nowait = flags & SPLICE_F_NONBLOCK != 0;
    let file = call.hold(file);
    let position = ops::Position::Current;
    if writes {
        ops::start(call, SpliceMemory { file, pipe, from: buffer, nowait })
    } else {
        ops::start(call, ops::Read { file, to: buffer, position, nowait })
    }
}

/// copy_file_range(2).
pub(crate) fn copy_file_range(
    call: &mut Call,
    input: Fd,
    input_offset: UserPtr<u64>,
    output: Fd,
    output_offset: UserPtr<u64>,
    length: u64,
    flags: u32,
) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let (input, output) = (call.usable_file(input)?, call.usable_file(output)?);
    let mut input = end(call, input, input_offset)?;
    let mut output = end(call, output, output_offset)?;
    let from = regular(call, input.file)?;
    let to = regular(call, output.file)?;
    let files = &call.kernel.files;
    if !files[input.file].is_readable() || !files[output.file].is_writable() {
        return Err(Errno::EBADF.because("the files are not open for reading and writing"));
    }
    if files[output.file].flags & O_APPEND != 0 {
        return Err(Errno::EBADF.because("the target is open for appending"));
    }
    let start = input.offset.unwrap_or(files[input.file].offset);
    let target = output.offset.unwrap_or(files[output.file].offset);
    let overflow = Errno::EOVERFLOW.because("the range reaches beyond the largest offset");
    let end_of = |offset: u64| offset.checked_add(length).filter(|end| *end <= i64::MAX as u64);
    if end_of(start).is_none() || end_of(target).is_none() {
        return Err(overflow);
    }
    // `generic_copy_file_checks` in Linux's mm/filemap.c: the source's end comes first, then the overlap.
    let length = length.min(call.kernel.vfs.inodes[from].size().saturating_sub(start));
    if from == to && start < target + length && target < start + length {
        return Err(Errno::EINVAL.because("the two ranges overlap"));
    }
    let done = splice::copy_range(call, &mut input, &mut output, length.min(MAX_RW_COUNT))?;
    for end in [input, output] {
        if let Some(offset) = end.offset {
            call.write_if_given(end.report, &offset)?;
        }
    }
    Ok(Flow::Done(done))
}

fn regular(call: &Call, file: Id<FileDescription>) -> Result<Id<crate::fs::Inode>, Error> {
    match call.kernel.files[file].object {
        FileObject::Inode(inode) if call.kernel.vfs.inodes[inode].is_directory() => {
            Err(Errno::EISDIR.because("a directory's bytes cannot be copied"))
        }
        FileObject::Inode(inode) if call.kernel.vfs.inodes[inode].is_regular() => Ok(inode),
        _ => Err(Errno::EINVAL.because("only regular files have ranges")),
    }
}
