//! Values with the layout that C gives them on x86-64, read and written byte by byte.

/// A value with a fixed size in guest memory, little-endian.
pub trait Wire: Sized {
    /// Bytes in memory, trailing padding included.
    const SIZE: usize;
    /// Reads the value from exactly [`Wire::SIZE`] bytes.
    fn read(bytes: &[u8]) -> Self;
    /// Writes the value to exactly [`Wire::SIZE`] bytes; padding becomes zero.
    fn write(&self, bytes: &mut [u8]);

    /// The value's bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; Self::SIZE];
        self.write(&mut bytes);
        bytes
    }
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Wire for $type {
            const SIZE: usize = size_of::<$type>();
            fn read(bytes: &[u8]) -> $type {
                <$type>::from_le_bytes(bytes.try_into().expect("the size is right"))
            }
            fn write(&self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

integers!(u8 i8 u16 i16 u32 i32 u64 i64);

impl<T: Wire + Copy + Default, const N: usize> Wire for [T; N] {
    const SIZE: usize = T::SIZE * N;
    fn read(bytes: &[u8]) -> [T; N] {
        let mut values = [T::default(); N];
        for (value, chunk) in values.iter_mut().zip(bytes.chunks_exact(T::SIZE)) {
            *value = T::read(chunk);
        }
        values
    }
    fn write(&self, bytes: &mut [u8]) {
        for (value, chunk) in self.iter().zip(bytes.chunks_exact_mut(T::SIZE)) {
            value.write(chunk);
        }
    }
}

/// Declares a C structure: fields in order, without gaps; padding is spelled out as fields named `_pad...`.
///
/// ```
/// abi::structure! {
///     /// clock_gettime(2), `struct timespec`.
///     pub struct Timespec {
///         /// Seconds.
///         pub seconds: i64,
///         /// Nanoseconds, 0 to 999,999,999.
///         pub nanoseconds: i64,
///     }
/// }
/// use abi::Wire;
/// assert_eq!(Timespec { seconds: 1, nanoseconds: 2 }.to_bytes()[..9], [1, 0, 0, 0, 0, 0, 0, 0, 2]);
/// ```
#[macro_export]
macro_rules! structure {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl $crate::Wire for $name {
            const SIZE: usize = 0 $(+ <$type as $crate::Wire>::SIZE)*;
            #[allow(unused_assignments)]
            fn read(bytes: &[u8]) -> $name {
                let mut at = 0;
                $(let $field = <$type as $crate::Wire>::read(&bytes[at..at + <$type as $crate::Wire>::SIZE]);
                  at += <$type as $crate::Wire>::SIZE;)*
                $name { $($field,)* }
            }
            #[allow(unused_assignments)]
            fn write(&self, bytes: &mut [u8]) {
                let mut at = 0;
                $(<$type as $crate::Wire>::write(&self.$field, &mut bytes[at..at + <$type as $crate::Wire>::SIZE]);
                  at += <$type as $crate::Wire>::SIZE;)*
            }
        }
    };
}
