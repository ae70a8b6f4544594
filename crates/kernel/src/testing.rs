//! What unit tests share: a small world outside, kept in memory, and a machine in it.

use crate::entry::Call;
use crate::kernel::{Configuration, Kernel};
use crate::mm::replacement::Algorithm;
use crate::ports::{Chooser, HostEntry, HostMetadata, Input, Outside, Stream, StreamKind};
use crate::process::{Thread, boot};
use crate::table::Id;
use abi::Errno;
use abi::stat::{S_IFDIR, S_IFMT, S_IFREG};
use machine::{PageSize, PagingScheme, PhysicalMemory};
use std::collections::{BTreeMap, VecDeque};

/// A host in memory: files by path, what was written to its streams, and what its input will give.
#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    files: BTreeMap<Vec<u8>, (HostMetadata, Vec<u8>)>,
    /// What came on standard output and error.
    pub(crate) output: Vec<u8>,
    /// What standard input still gives.
    pub(crate) input: VecDeque<u8>,
    /// Every question asked about a file, for tests that count them.
    pub(crate) asked: Vec<String>,
    next_inode: u64,
}

impl FakeHost {
    /// A host with nothing but a root directory and `/tmp`.
    pub(crate) fn new() -> FakeHost {
        let mut host = FakeHost { next_inode: 2, ..FakeHost::default() };
        host.add("/", S_IFDIR | 0o755, b"");
        host.add("/tmp", S_IFDIR | 0o1777, b"");
        host
    }

    /// Adds a file, directory or link (whose contents are its target); its inode number.
    pub(crate) fn add(&mut self, path: &str, mode: u32, contents: &[u8]) -> u64 {
        let inode = self.next_inode;
        self.next_inode += 1;
        let is_directory = mode & S_IFMT == S_IFDIR;
        let metadata = HostMetadata {
            device: 7,
            inode,
            mode,
            links: if is_directory { 2 } else { 1 },
            uid: 0,
            gid: 0,
            special_device: 0,
            size: if is_directory { 4096 } else { contents.len() as u64 },
            block_size: 4096,
            blocks: contents.len().div_ceil(4096) as u64 * 8,
            modified_ns: 2_000_000_000,
            changed_ns: 3_000_000_000,
        };
        self.files.insert(path.as_bytes().to_vec(), (metadata, contents.to_vec()));
        inode
    }

    /// Adds a regular file.
    pub(crate) fn add_file(&mut self, path: &str, contents: &[u8]) -> u64 {
        self.add(path, S_IFREG | 0o644, contents)
    }

    /// Gives a file another name.
    pub(crate) fn add_hard_link(&mut self, old: &str, new: &str) {
        let (metadata, contents) = self.files.get_mut(old.as_bytes()).expect("the file exists");
        metadata.links += 1;
        let file = (metadata.clone(), contents.clone());
        self.files.insert(new.as_bytes().to_vec(), file);
    }

    fn ask(&mut self, what: &str, path: &[u8]) {
        self.asked.push(format!("{what} {}", String::from_utf8_lossy(path)));
    }

    fn find(&self, path: &[u8]) -> Result<&(HostMetadata, Vec<u8>), Errno> {
        self.files.get(path).ok_or(Errno::ENOENT)
    }
}

impl Outside for FakeHost {
    fn metadata(&mut self, path: &[u8]) -> Result<HostMetadata, Errno> {
        self.ask("lstat", path);
        self.find(path).map(|(metadata, _)| metadata.clone())
    }

    fn read_directory(&mut self, path: &[u8]) -> Result<Vec<HostEntry>, Errno> {
        self.ask("list", path);
        self.find(path)?;
        let prefix = if path == b"/" { path.to_vec() } else { [path, b"/"].concat() };
        let entries = self.files.iter().filter_map(|(path, (metadata, _))| {
            let name = path.strip_prefix(prefix.as_slice())?;
            let is_entry = !name.is_empty() && !name.contains(&b'/');
            is_entry.then(|| HostEntry { name: name.to_vec(), inode: metadata.inode, kind: metadata.mode & S_IFMT })
        });
        Ok(entries.collect())
    }

    fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        self.find(path).map(|(_, target)| target.clone())
    }

    fn read_file(&mut self, path: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.ask("read", path);
        let (_, contents) = self.find(path)?;
        let rest = contents.get(offset as usize..).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn stream(&mut self, _stream: Stream) -> StreamKind {
        StreamKind::Pipe
    }

    fn stream_metadata(&mut self, _stream: Stream) -> Result<HostMetadata, Errno> {
        Err(Errno::EBADF)
    }

    fn read_input(&mut self, limit: usize) -> Input {
        let count = self.input.len().min(limit);
        match count {
            0 => Input::End,
            _ => Input::Bytes(self.input.drain(..count).collect()),
        }
    }

    fn write_output(&mut self, _stream: Stream, bytes: &[u8]) -> Result<usize, Errno> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn seek_output(&mut self, _stream: Stream, _offset: i64, _whence: i32) -> Result<u64, Errno> {
        Err(Errno::ESPIPE)
    }

    fn window_size(&mut self) -> Option<(u16, u16)> {
        None
    }
}

/// Decides the first of everything; its random bytes count up.
#[derive(Debug, Default)]
pub(crate) struct FirstChoice {
    random: u8,
}

impl Chooser for FirstChoice {
    fn next_thread(&mut self, _queue: &VecDeque<Id<Thread>>) -> usize {
        0
    }
    fn slice(&mut self) -> u64 {
        1000
    }
    fn signal_receiver(&mut self, _candidates: &[Id<Thread>]) -> usize {
        0
    }
    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.random;
            self.random = self.random.wrapping_add(1);
        }
    }
}

/// The machine of a [`Bench`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// `--paging`.
    pub(crate) scheme: &'static str,
    /// Frames of physical memory, a page each.
    pub(crate) frames: u64,
    /// Pages of swap and of disk.
    pub(crate) stores: [u64; 2],
    /// Which page goes when memory is full.
    pub(crate) algorithm: Algorithm,
}

impl Default for Machine {
    fn default() -> Machine {
        Machine { scheme: "x86-64", frames: 256, stores: [0, 0], algorithm: Algorithm::Clock }
    }
}

impl Machine {
    fn paging(&self) -> PagingScheme {
        PagingScheme::parse(self.scheme).expect("there is such a scheme")
    }

    /// Bytes in a page.
    pub(crate) fn page_bytes(&self) -> u64 {
        self.paging().page_size()
    }
}

/// A machine with one process of one thread and no program, and its ports.
pub(crate) struct Bench {
    pub(crate) kernel: Kernel,
    pub(crate) host: FakeHost,
    pub(crate) chooser: FirstChoice,
    pub(crate) thread: Id<Thread>,
}

impl Bench {
    /// A machine with so many frames, over a host with these files, run by user 1000.
    pub(crate) fn new(frames: u64, files: &[(&str, &[u8])]) -> Bench {
        Bench::on(Machine { frames, ..Machine::default() }, files)
    }

    /// The same with so many pages of swap and of disk.
    pub(crate) fn with_stores(frames: u64, stores: [u64; 2], algorithm: Algorithm, files: &[(&str, &[u8])]) -> Bench {
        Bench::on(Machine { frames, stores, algorithm, ..Machine::default() }, files)
    }

    /// Any machine.
    pub(crate) fn on(machine: Machine, files: &[(&str, &[u8])]) -> Bench {
        let (page_bytes, [swap, disk]) = (machine.page_bytes(), machine.stores);
        let paging = machine.paging();
        let page_size = PageSize::of_bits(paging.offset_bits()).expect("programs run with such pages");
        let memory = PhysicalMemory::with_frames_of(page_size, machine.frames * page_bytes);
        let configuration = Configuration {
            host_name: b"test".to_vec(),
            cpus: 1,
            paging,
            swap_bytes: swap * page_bytes,
            disk_bytes: disk * page_bytes,
            replacement: machine.algorithm,
            real_start_ns: 0,
            uid: 1000,
            gid: 1000,
            groups: vec![1000],
        };
        let mut kernel = Kernel::new(configuration, memory.expect("the host has memory"));
        let mut host = FakeHost::new();
        for (path, contents) in files {
            host.add(path, S_IFREG | 0o666, contents);
        }
        let process = boot::start_empty(&mut kernel, &mut host).expect("there is memory for a process");
        let thread = kernel.processes[process].threads[0];
        Bench { kernel, host, chooser: FirstChoice::default(), thread }
    }

    /// Work on behalf of the one thread.
    pub(crate) fn call(&mut self) -> Call<'_> {
        Call { kernel: &mut self.kernel, outside: &mut self.host, chooser: &mut self.chooser, thread: self.thread }
    }
}
