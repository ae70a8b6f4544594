//! What `CLONE_FS` shares: working directory, root, umask.

use super::node::Node;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::table::Id;

/// What `CLONE_FS` shares. Holds both directories.
#[derive(Clone, Debug)]
pub struct FsContext {
    /// Working directory.
    pub directory: Id<Node>,
    /// Root directory, chroot(2).
    pub root: Id<Node>,
    /// umask(2).
    pub umask: u32,
    /// Threads that use it.
    pub references: u32,
}

impl Kernel {
    /// A context for one thread.
    pub fn make_context(&mut self, directory: Id<Node>, root: Id<Node>, umask: u32) -> Id<FsContext> {
        self.hold_node(directory);
        self.hold_node(root);
        self.fs_contexts.insert(FsContext { directory, root, umask, references: 1 })
    }

    /// A copy of a context for one thread: clone(2) without `CLONE_FS`.
    pub fn copy_context(&mut self, context: Id<FsContext>) -> Id<FsContext> {
        let FsContext { directory, root, umask, .. } = self.fs_contexts[context];
        self.make_context(directory, root, umask)
    }

    /// One thread more uses the context: clone(2) with `CLONE_FS`.
    pub fn retain_context(&mut self, context: Id<FsContext>) {
        self.fs_contexts[context].references += 1;
    }

    /// One thread less uses the context; the last one frees it.
    pub fn release_context(&mut self, context: Id<FsContext>) {
        let shared = &mut self.fs_contexts[context];
        assert!(shared.references > 0, "a context is released as often as it is retained");
        shared.references -= 1;
        if shared.references == 0 {
            let context = self.fs_contexts.remove(context);
            self.release_node(context.directory);
            self.release_node(context.root);
        }
    }
}

impl Call<'_> {
    /// The calling thread's working directory, root and umask.
    pub fn context(&mut self) -> &mut FsContext {
        let context = self.kernel.threads[self.thread].fs_context;
        &mut self.kernel.fs_contexts[context]
    }
}
