//! Arguments and environment, and the limits on them.

use crate::entry::Call;
use crate::user::{UserCStr, UserPtr};
use abi::resource::RLIMIT_STACK;
use abi::{Errno, Error};

/// Longest single string, its zero byte included: Linux `MAX_ARG_STRLEN`.
const LONGEST: usize = 131_072;
/// Linux lets strings and pointers take a quarter of the stack, at most three quarters of 8 MiB, at least 128 KiB.
const MOST: u64 = 6 << 20;
const LEAST: u64 = 131_072;

/// What the new program is given.
#[derive(Clone, Debug)]
pub(crate) struct Strings {
    /// The path as execve(2) was given it, AT_EXECFN.
    pub(super) file_name: Vec<u8>,
    /// argv.
    pub(super) arguments: Vec<Vec<u8>>,
    /// envp.
    pub(super) environment: Vec<Vec<u8>>,
    /// Bytes that strings may still take.
    left: u64,
}

impl Strings {
    /// Strings that belljar's user gave.
    pub(super) fn given(file_name: &[u8], arguments: &[Vec<u8>], environment: &[Vec<u8>]) -> Strings {
        Strings {
            file_name: file_name.to_vec(),
            arguments: arguments.to_vec(),
            environment: environment.to_vec(),
            left: MOST,
        }
    }

    /// Reads the strings of the calling process.
    ///
    /// # Errors
    /// `EFAULT`; `E2BIG` if one is too long or all together are.
    pub(super) fn read(call: &mut Call, file_name: &[u8], arguments: u64, environment: u64) -> Result<Strings, Error> {
        let stack = call.process().limits.soft(RLIMIT_STACK);
        let limit = MOST.min(stack / 4).max(LEAST);
        let mut strings =
            Strings { file_name: Vec::new(), arguments: Vec::new(), environment: Vec::new(), left: limit };
        let (arguments, environment) = (pointers(call, arguments, limit)?, pointers(call, environment, limit)?);
        let pointer_bytes = 8 * (arguments.len().max(1) + environment.len()) as u64;
        strings.take(pointer_bytes)?;
        strings.take(file_name.len() as u64 + 1)?;
        strings.file_name = file_name.to_vec();
        for pointer in environment {
            let string = strings.read_one(call, pointer)?;
            strings.environment.push(string);
        }
        for pointer in arguments {
            let string = strings.read_one(call, pointer)?;
            strings.arguments.push(string);
        }
        if strings.arguments.is_empty() {
            // Linux since 5.18: a program always has an argument zero.
            strings.take(1)?;
            strings.arguments.push(Vec::new());
        }
        Ok(strings)
    }

    fn read_one(&mut self, call: &mut Call, pointer: u64) -> Result<Vec<u8>, Error> {
        let string = call.read_string(UserCStr(pointer), LONGEST, Errno::E2BIG)?;
        self.take(string.len() as u64 + 1)?;
        Ok(string)
    }

    fn take(&mut self, bytes: u64) -> Result<(), Error> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(Errno::E2BIG.because("arguments and environment are longer than the stack permits"))?;
        Ok(())
    }

    /// Puts a script's interpreter, its optional argument and the script's path in the place of argument zero.
    ///
    /// # Errors
    /// `E2BIG`.
    pub(super) fn prepend(
        &mut self,
        interpreter: Vec<u8>,
        optional: Option<Vec<u8>>,
        script: Vec<u8>,
    ) -> Result<(), Error> {
        if let Some(zeroth) = self.arguments.first() {
            self.left += zeroth.len() as u64 + 1;
            self.arguments.remove(0);
        }
        let added: Vec<Vec<u8>> = [Some(interpreter), optional, Some(script)].into_iter().flatten().collect();
        for string in &added {
            self.take(string.len() as u64 + 1)?;
        }
        self.arguments.splice(0..0, added);
        Ok(())
    }
}

/// The pointers of a vector that ends with a null pointer. A null vector is an empty one.
fn pointers(call: &mut Call, vector: u64, limit: u64) -> Result<Vec<u64>, Error> {
    let mut pointers = Vec::new();
    if vector == 0 {
        return Ok(pointers);
    }
    loop {
        let pointer: u64 = call.read(UserPtr::new(vector.wrapping_add(8 * pointers.len() as u64)))?;
        if pointer == 0 {
            return Ok(pointers);
        }
        if 8 * pointers.len() as u64 > limit {
            return Err(Errno::E2BIG.because("there are more arguments than the stack permits"));
        }
        pointers.push(pointer);
    }
}
