//! Descriptors and descriptions as the rest of the kernel uses them, and files read from within the kernel.

use super::description::{FileDescription, FileObject};
use super::fd_table::{Fd, FdEntry, FdTable};
use super::inode::Inode;
use super::{inotify, page_cache};
use crate::entry::Call;
use crate::ipc::posix::message_queue;
use crate::kernel::Kernel;
use crate::table::Id;
use abi::fcntl::O_CLOEXEC;
use abi::inotify::{IN_CLOSE_NOWRITE, IN_CLOSE_WRITE};
use abi::resource::{RLIMIT_FSIZE, RLIMIT_NOFILE};
use abi::{Errno, Error};

impl Call<'_> {
    /// What a descriptor refers to.
    ///
    /// # Errors
    /// `EBADF` if it is not open.
    #[inline]
    pub fn file(&self, fd: Fd) -> Result<Id<FileDescription>, Error> {
        self.fd_entry(fd).map(|entry| entry.file)
    }

    /// What a descriptor refers to, for calls that need more than a name for a place.
    ///
    /// # Errors
    /// `EBADF` if it is not open, or was opened with `O_PATH`.
    #[inline]
    pub fn usable_file(&self, fd: Fd) -> Result<Id<FileDescription>, Error> {
        let file = self.file(fd)?;
        if self.kernel.files[file].is_path_only() {
            return Err(Errno::EBADF.because("the file was opened with `O_PATH`"));
        }
        Ok(file)
    }

    /// A descriptor's entry.
    ///
    /// # Errors
    /// `EBADF` if it is not open.
    #[inline]
    pub fn fd_entry(&self, fd: Fd) -> Result<FdEntry, Error> {
        self.fd_table().get(fd).ok_or(Errno::EBADF.because("the descriptor is not open"))
    }

    /// The calling thread's descriptors.
    #[inline]
    pub fn fd_table(&self) -> &FdTable {
        &self.kernel.fd_tables[self.kernel.threads[self.thread].fd_table]
    }

    /// The calling thread's descriptors.
    pub fn fd_table_mut(&mut self) -> &mut FdTable {
        let table = self.kernel.threads[self.thread].fd_table;
        &mut self.kernel.fd_tables[table]
    }

    /// Adds a holder of an open file: an operation, a message in flight, a mapping.
    #[inline]
    pub fn hold(&mut self, file: Id<FileDescription>) -> Id<FileDescription> {
        self.kernel.files[file].references += 1;
        file
    }

    /// Drops a holder of an open file; the last one closes it.
    #[inline]
    pub fn release_file(&mut self, file: Id<FileDescription>) {
        release(self.kernel, file);
    }

    /// Opens an object that has no name and gives it the lowest free descriptor. `flags`: access mode, status flags and
    /// `O_CLOEXEC`.
    ///
    /// # Errors
    /// `EMFILE` at RLIMIT_NOFILE; the object is closed then.
    pub fn open_object(&mut self, object: FileObject, flags: u32) -> Result<Fd, Error> {
        let file = self.kernel.files.insert(FileDescription::new(object, flags & !O_CLOEXEC));
        self.install_fd(file, flags & O_CLOEXEC != 0)
    }

    /// Gives an open file the lowest free descriptor, which takes over the caller's hold.
    ///
    /// # Errors
    /// `EMFILE` at RLIMIT_NOFILE; the file is released then.
    pub fn install_fd(&mut self, file: Id<FileDescription>, close_on_exec: bool) -> Result<Fd, Error> {
        self.install_fd_from(file, close_on_exec, 0)
    }

    /// Gives an open file the lowest free descriptor that is at least `lowest`. See [`Call::install_fd`].
    ///
    /// # Errors
    /// As there.
    pub fn install_fd_from(
        &mut self,
        file: Id<FileDescription>,
        close_on_exec: bool,
        lowest: usize,
    ) -> Result<Fd, Error> {
        let limit = self.open_file_limit();
        match self.fd_table_mut().insert(FdEntry { file, close_on_exec }, lowest, limit) {
            Some(fd) => Ok(fd),
            None => {
                self.release_file(file);
                Err(Errno::EMFILE.because("as many descriptors are open as RLIMIT_NOFILE allows"))
            }
        }
    }

    /// One more than the highest descriptor that may be opened: RLIMIT_NOFILE.
    pub fn open_file_limit(&self) -> usize {
        let limits = &self.kernel.processes[self.process_id()].limits;
        limits.soft(RLIMIT_NOFILE).min(1 << 20) as usize
    }

    /// Largest size that the caller may give a file: RLIMIT_FSIZE.
    pub fn file_size_limit(&self) -> u64 {
        self.kernel.processes[self.process_id()].limits.soft(RLIMIT_FSIZE)
    }

    /// Closes a descriptor: close(2). The caller's record locks on the file go, even if other descriptors have it open.
    ///
    /// # Errors
    /// `EBADF` if it is not open.
    pub fn close_fd(&mut self, fd: Fd) -> Result<(), Error> {
        let entry = self.fd_entry(fd)?;
        self.fd_table_mut().set(fd.0 as usize, None);
        let table = self.kernel.threads[self.thread].fd_table;
        close_entry(self.kernel, table, entry);
        Ok(())
    }
}

/// What closing a descriptor does besides emptying its slot in `table`.
pub(super) fn close_entry(kernel: &mut Kernel, table: Id<FdTable>, entry: FdEntry) {
    super::locks::forget_owner(kernel, table, entry.file);
    super::dnotify::flush(kernel, table, entry.file);
    let current = kernel.scheduler.current().and_then(|thread| kernel.threads.get(thread));
    if let Some(process) = current.map(|thread| thread.process) {
        message_queue::flush(kernel, entry.file, process);
    }
    release(kernel, entry.file);
}

/// A copy of a descriptor table for one thread: clone(2) without `CLONE_FILES`.
pub fn copy_table(kernel: &mut Kernel, table: Id<FdTable>) -> Id<FdTable> {
    let mut copy = kernel.fd_tables[table].clone();
    copy.references = 1;
    for (_, entry) in copy.iter() {
        kernel.files[entry.file].references += 1;
    }
    kernel.fd_tables.insert(copy)
}

/// One thread less uses the descriptors; the last one closes them all, in order.
pub fn release_table(kernel: &mut Kernel, table: Id<FdTable>) {
    let shared = &mut kernel.fd_tables[table];
    assert!(shared.references > 0, "a table is released as often as it is retained");
    shared.references -= 1;
    if shared.references == 0 {
        let entries: Vec<FdEntry> = shared.iter().map(|(_, entry)| entry).collect();
        for entry in entries {
            close_entry(kernel, table, entry);
        }
        kernel.fd_tables.remove(table);
    }
}

/// Closes what execve(2) has to close. The caller has made sure that nobody shares the table.
pub fn close_on_exec(kernel: &mut Kernel, table: Id<FdTable>) {
    let entries: Vec<(Fd, FdEntry)> = kernel.fd_tables[table].iter().filter(|(_, entry)| entry.close_on_exec).collect();
    for (fd, entry) in entries {
        kernel.fd_tables[table].set(fd.0 as usize, None);
        close_entry(kernel, table, entry);
    }
}

/// Adds a holder of an open file.
pub fn hold(kernel: &mut Kernel, file: Id<FileDescription>) -> Id<FileDescription> {
    kernel.files[file].references += 1;
    file
}

/// Drops a holder of an open file; the last one closes it, and the files that were in flight to it alone.
pub fn release(kernel: &mut Kernel, file: Id<FileDescription>) {
    release_one(kernel, file);
    while let Some(dropped) = kernel.files_in_flight_dropped.pop() {
        release_one(kernel, dropped);
    }
}

fn release_one(kernel: &mut Kernel, file: Id<FileDescription>) {
    let description = &mut kernel.files[file];
    assert!(description.references > 0, "an open file is released as often as it is held");
    description.references -= 1;
    if description.references > 0 {
        return;
    }
    super::locks::forget_description(kernel, file);
    super::epoll::file_closed(kernel, file);
    super::signal_driven::forget(kernel, file);
    if !kernel.files[file].is_path_only() {
        let is_written = kernel.files[file].is_writable();
        inotify::notify_file(kernel, file, if is_written { IN_CLOSE_WRITE } else { IN_CLOSE_NOWRITE });
    }
    let description = kernel.files.remove(file);
    if let FileObject::Inode(inode) = description.object {
        let inode = &mut kernel.vfs.inodes[inode];
        inode.writers -= u32::from(description.is_writable());
        inode.readers -= u32::from(description.is_readable() && !description.is_writable());
    }
    super::ops::close_object(kernel, &description);
    if let Some(node) = description.node {
        kernel.release_node(node);
    }
}

/// Reads a regular file from within the kernel: for ELF headers, scripts. Less than asked only at its end.
///
/// # Errors
/// The host's; `EINVAL` if it is no regular file, `ENOMEM`.
pub fn read_at(call: &mut Call, inode: Id<Inode>, offset: u64, bytes: &mut [u8]) -> Result<usize, Error> {
    let page_size = call.kernel.page_size();
    let file = &call.kernel.vfs.inodes[inode];
    let Some(pages) = file.pages() else {
        return Err(Errno::EINVAL.because("only regular files have bytes"));
    };
    let wanted = (bytes.len() as u64).min(pages.size().saturating_sub(offset)) as usize;
    let mut done = 0;
    while done < wanted {
        let at = offset + done as u64;
        let within = page_size.offset(at) as usize;
        let take = (page_size.bytes() as usize - within).min(wanted - done);
        let target = &mut bytes[done..done + take];
        if page_cache::is_hole(call.kernel, inode, page_size.number(at)) {
            target.fill(0);
        } else {
            let frame = page_cache::page(call, inode, page_size.number(at))?;
            target.copy_from_slice(&call.kernel.memory.bytes(frame)[within..within + take]);
        }
        done += take;
    }
    Ok(wanted)
}

/// Adds a holder of an inode: a mapping.
pub fn retain_inode(kernel: &mut Kernel, inode: Id<Inode>) {
    kernel.retain_inode(inode);
}

/// Drops a holder of an inode.
pub fn release_inode(kernel: &mut Kernel, inode: Id<Inode>) {
    kernel.release_inode(inode);
}
