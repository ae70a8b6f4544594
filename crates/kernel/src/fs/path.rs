//! From a path to a node: path_resolution(7), openat2(2).

use super::description::FileDescription;
use super::fd_table::Fd;
use super::generated::{self, Target};
use super::inode::{Inode, InodeKind};
use super::mount::FileSystem;
use super::node::Node;
use super::overlay;
use super::permission::EXECUTE;
use crate::entry::Call;
use crate::table::Id;
use abi::fcntl::{
    NAME_MAX, PATH_MAX, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
use abi::stat::{S_IFLNK, S_ISVTX};
use abi::{Errno, Error};

/// Most symbolic links followed in one path.
const MAX_LINKS: u32 = 40;

/// What happens if the path's last name is a symbolic link. Links before it are always followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// It is followed.
    Yes,
    /// It is the answer itself, unless slashes follow it.
    No,
    /// It is the answer itself: calls that make, remove or rename names. Slashes behind it are the caller's business.
    Never,
    /// It is followed, and slashes behind it are an error, whatever it is: open(2) with `O_CREAT`, which makes no
    /// directories. Linux `lookup_fast_for_open`.
    ToMake,
    /// It is the answer itself, and slashes are an error: with `O_EXCL` or `O_NOFOLLOW` as well.
    NoToMake,
}

/// What the last part of a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// A name.
    Name,
    /// `.`, or nothing but slashes.
    Dot,
    /// `..`.
    DotDot,
    /// It went through a link that has no path: `/proc/PID/fd/N`.
    Jump,
}

/// Where a path leads, whether or not its last name exists.
#[derive(Clone, Debug)]
pub struct Found {
    /// The directory of the last name.
    pub directory: Id<Node>,
    /// The last name.
    pub name: Vec<u8>,
    /// What the last part is; only a [`Last::Name`] can be made, renamed or removed.
    pub last: Last,
    /// What it names, if it exists.
    pub node: Option<Id<Node>>,
    /// Whether slashes follow the last name: it has to be a directory.
    pub has_trailing_slash: bool,
}

impl Found {
    /// The node, which must exist.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn existing(&self) -> Result<Id<Node>, Error> {
        self.node.ok_or(Errno::ENOENT.because("no file has this name"))
    }
}

/// The existing node that a path leads to. An empty path leads nowhere.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`, `EBADF`.
pub fn resolve(call: &mut Call, base: Fd, path: &[u8], follow: Follow) -> Result<Id<Node>, Error> {
    walk(call, base, path, follow, 0)?.existing()
}

/// Like [`resolve`], but an empty path is the base itself, whatever it is: `AT_EMPTY_PATH`.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_or_base(call: &mut Call, base: Fd, path: &[u8], follow: Follow) -> Result<Place, Error> {
    if !path.is_empty() {
        return resolve(call, base, path, follow).map(Place::Node);
    }
    if base == Fd::WORKING_DIRECTORY {
        return Ok(Place::Node(call.context().directory));
    }
    let file = call.file(base)?;
    Ok(match call.kernel.files[file].node {
        Some(node) => Place::Node(node),
        None => Place::File(file),
    })
}

/// What a call can be about: something with a name, or an open file that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A name.
    Node(Id<Node>),
    /// An open pipe, socket or the like.
    File(Id<FileDescription>),
}

/// Follows a path to its last name, which need not exist.
///
/// # Errors
/// As [`resolve`], but for the last name's `ENOENT`.
pub fn walk(call: &mut Call, base: Fd, path: &[u8], follow: Follow, flags: u64) -> Result<Found, Error> {
    if path.is_empty() {
        return Err(Errno::ENOENT.because("the path is empty"));
    }
    if path.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG.because("the path has more than 4095 bytes"));
    }
    let scoped = flags & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) != 0;
    let start = if path[0] == b'/' && !scoped { call.context().root } else { base_directory(call, base)? };
    let root = if scoped { start } else { call.context().root };
    if path[0] == b'/' && flags & RESOLVE_BENEATH != 0 {
        return Err(Errno::EXDEV.because("an absolute path leaves the tree of `RESOLVE_BENEATH`"));
    }
    let mut walk = Walk { root, at: start, rest: path.to_vec(), position: 0, links: 0, flags };
    walk.run(call, follow)
}

/// The directory that a relative path starts in.
fn base_directory(call: &mut Call, base: Fd) -> Result<Id<Node>, Error> {
    if base == Fd::WORKING_DIRECTORY {
        return Ok(call.context().directory);
    }
    let file = call.file(base)?;
    match call.kernel.files[file].node {
        Some(node) if call.kernel.inode(node).is_directory() => Ok(node),
        _ => Err(Errno::ENOTDIR.because("`dirfd` is no directory and the path is relative")),
    }
}

struct Walk {
    root: Id<Node>,
    at: Id<Node>,
    /// What is left of the path begins at `position`.
    rest: Vec<u8>,
    position: usize,
    links: u32,
    flags: u64,
}

impl Walk {
    fn run(&mut self, call: &mut Call, follow: Follow) -> Result<Found, Error> {
        let mut jumped = false;
        loop {
            while self.rest.get(self.position) == Some(&b'/') {
                self.position += 1;
            }
            if self.position == self.rest.len() {
                // Nothing but slashes is left: the path is `/`, or a link led straight to the end.
                let last = if jumped { Last::Jump } else { Last::Dot };
                let has_trailing_slash = self.rest.last() == Some(&b'/');
                return self.found(b".".to_vec(), last, Some(self.at), has_trailing_slash && !jumped);
            }
            let end = self.rest[self.position..].iter().position(|byte| *byte == b'/');
            let end = end.map_or(self.rest.len(), |length| self.position + length);
            let name = self.rest[self.position..end].to_vec();
            self.position = end;
            let is_last = self.rest[end..].iter().all(|byte| *byte == b'/');
            let has_trailing_slash = is_last && end < self.rest.len();

            let here = call.kernel.inode(self.at);
            if !here.is_directory() {
                return Err(Errno::ENOTDIR.because("a part of the path is no directory"));
            }
            call.subject().check(here, EXECUTE)?;
            let makes = matches!(follow, Follow::ToMake | Follow::NoToMake);
            if makes && has_trailing_slash && name != b"." && name != b".." {
                return Err(Errno::EISDIR.because("slashes follow the name of a file to be made"));
            }
            if name.len() > NAME_MAX {
                return Err(Errno::ENAMETOOLONG.because("a name has more than 255 bytes"));
            }
            match name.as_slice() {
                b"." if is_last => return self.found(name, Last::Dot, Some(self.at), true),
                b"." => continue,
                b".." => {
                    self.at = self.above(call)?;
                    if is_last {
                        return self.found(name, Last::DotDot, Some(self.at), true);
                    }
                    continue;
                }
                _ => {}
            }
            let Some(node) = child(call, self.at, &name)? else {
                if !is_last {
                    return Err(Errno::ENOENT.because("a directory of the path does not exist"));
                }
                return self.found(name, Last::Name, None, has_trailing_slash);
            };
            let follows = match follow {
                Follow::Yes | Follow::ToMake => true,
                Follow::No => !is_last || has_trailing_slash,
                Follow::Never | Follow::NoToMake => !is_last,
            };
            if follows && call.kernel.inode(node).is_symlink() {
                jumped = self.enter_link(call, node)?;
                continue;
            }
            let node = self.enter_mount(call, node)?;
            if is_last {
                if has_trailing_slash && follow != Follow::Never && !call.kernel.inode(node).is_directory() {
                    return Err(Errno::ENOTDIR.because("slashes follow a name that is no directory's"));
                }
                return self.found(name, Last::Name, Some(node), has_trailing_slash);
            }
            self.at = node;
        }
    }

    fn found(&self, name: Vec<u8>, last: Last, node: Option<Id<Node>>, slash: bool) -> Result<Found, Error> {
        Ok(Found { directory: self.at, name, last, node, has_trailing_slash: slash })
    }

    /// The directory above, `..`; the root's is the root.
    fn above(&self, call: &Call) -> Result<Id<Node>, Error> {
        let vfs = &call.kernel.vfs;
        if self.at == self.root {
            if self.flags & RESOLVE_BENEATH != 0 {
                return Err(Errno::EXDEV.because("`..` leaves the tree of `RESOLVE_BENEATH`"));
            }
            return Ok(self.at);
        }
        let mut at = self.at;
        while vfs.nodes[at].parent.is_none() {
            match vfs.mounts[vfs.nodes[at].mount].at {
                Some(below) if at != self.root => at = below,
                _ => return Ok(at),
            }
        }
        if self.flags & RESOLVE_NO_XDEV != 0 && vfs.nodes[at].mount != vfs.nodes[self.at].mount {
            return Err(Errno::EXDEV.because("`..` leaves the mount, `RESOLVE_NO_XDEV`"));
        }
        Ok(vfs.nodes[at].parent.expect("found above"))
    }

    /// From a directory to the root of what is mounted on it.
    fn enter_mount(&self, call: &Call, node: Id<Node>) -> Result<Id<Node>, Error> {
        let mut node = node;
        while let Some(mount) = call.kernel.vfs.nodes[node].mounted {
            if self.flags & RESOLVE_NO_XDEV != 0 {
                return Err(Errno::EXDEV.because("the path enters another mount, `RESOLVE_NO_XDEV`"));
            }
            node = call.kernel.vfs.mounts[mount].root.expect("a mount has a root");
        }
        Ok(node)
    }

    /// Replaces what is left of the path by a link's target. `true`: the walk is at the target already.
    fn enter_link(&mut self, call: &mut Call, link: Id<Node>) -> Result<bool, Error> {
        self.links += 1;
        if self.links > MAX_LINKS || self.flags & RESOLVE_NO_SYMLINKS != 0 {
            return Err(Errno::ELOOP.because("too many symbolic links, or one where none is allowed"));
        }
        check_sticky_link(call, self.at, link)?;
        let target = match &call.kernel.inode(link).kind {
            InodeKind::Symlink(target) => target.clone(),
            InodeKind::Generated(file) => match generated::follow(call, *file)? {
                Target::Path(target) => target,
                jump => {
                    if self.flags & (RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT) != 0 {
                        return Err(match self.flags & RESOLVE_NO_MAGICLINKS {
                            0 => Errno::EXDEV.because("a link of proc leaves the tree"),
                            _ => Errno::ELOOP.because("a link of proc, `RESOLVE_NO_MAGICLINKS`"),
                        });
                    }
                    let mounted = match jump {
                        Target::Node(node) => node,
                        Target::File(file) => node_of_file(call, file),
                        Target::Path(_) => unreachable!("matched above"),
                    };
                    self.at = mounted;
                    return Ok(true);
                }
            },
            _ => return Err(Errno::EIO.because("the symbolic link has no target")),
        };
        if target.is_empty() {
            return Err(Errno::ENOENT.because("a symbolic link's target is empty"));
        }
        if target[0] == b'/' {
            if self.flags & RESOLVE_BENEATH != 0 {
                return Err(Errno::EXDEV.because("an absolute link leaves the tree of `RESOLVE_BENEATH`"));
            }
            self.at = self.root;
        }
        let mut rest = target;
        rest.extend_from_slice(&self.rest[self.position..]);
        self.rest = rest;
        self.position = 0;
        Ok(false)
    }
}

/// Links in sticky directories that all may write are followed only by their owner or if the directory's owner made
/// them: proc(5) `/proc/sys/fs/protected_symlinks`, which systemd sets to 1.
fn check_sticky_link(call: &Call, directory: Id<Node>, link: Id<Node>) -> Result<(), Error> {
    let (directory, link) = (call.kernel.inode(directory), call.kernel.inode(link));
    let open_to_all = directory.mode & (S_ISVTX | 0o002) == S_ISVTX | 0o002;
    if open_to_all && link.uid != call.subject().uid && link.uid != directory.uid {
        return Err(Errno::EACCES.because("the link in a sticky directory belongs to somebody else"));
    }
    Ok(())
}

/// The node called `name` in a directory, whatever file system it is in; `None` if there is none. The name is neither
/// `.` nor `..`; what is mounted on the node is not entered.
///
/// # Errors
/// The file system's.
pub fn child(call: &mut Call, directory: Id<Node>, name: &[u8]) -> Result<Option<Id<Node>>, Error> {
    let inode = call.kernel.inode(directory);
    match &inode.kind {
        InodeKind::Directory(_) => overlay::lookup(call.kernel, call.outside, directory, name),
        InodeKind::Generated(file) => {
            let Some(found) = generated::lookup(call, *file, name)? else { return Ok(None) };
            let attributes = generated::attributes(call.kernel, found)?;
            let mount = call.kernel.vfs.nodes[directory].mount;
            let now = call.kernel.clock.realtime_ns() as i64;
            let kind = InodeKind::Generated(found);
            let mut inode = Inode::new(attributes.number, mount, attributes.mode, kind, now);
            inode.uid = attributes.uid;
            inode.gid = attributes.gid;
            inode.links = attributes.links;
            let inode = call.kernel.vfs.inodes.insert(inode);
            let node = call.kernel.make_node(Some(directory), name, inode);
            call.kernel.let_loose(node);
            Ok(Some(node))
        }
        _ => Err(Errno::ENOTDIR.because("a part of the path is no directory")),
    }
}

/// The node of an open file, made up for one that has none.
fn node_of_file(call: &mut Call, file: Id<FileDescription>) -> Id<Node> {
    let description = &call.kernel.files[file];
    if let Some(node) = description.node {
        return node;
    }
    let object = description.object;
    let mount = call.kernel.nameless_mount();
    debug_assert_eq!(call.kernel.vfs.mounts[mount].file_system, FileSystem::Nameless);
    let stat = super::stat::of_file(call, file);
    let (number, mode) = stat.map_or((1, S_IFLNK), |stat| (stat.inode, stat.mode));
    let now = call.kernel.clock.realtime_ns() as i64;
    let inode = call.kernel.vfs.inodes.insert(Inode::new(number, mount, mode, InodeKind::Anonymous(object), now));
    let name = super::stat::name_of_file(call.kernel, file);
    let node = call.kernel.make_node(None, &name, inode);
    call.kernel.let_loose(node);
    node
}
