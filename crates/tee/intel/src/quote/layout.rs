//! Structures of fixed layout: one declaration gives the fields, their order and the length.

/// A field of fixed length.
pub(super) trait Field: Sized {
    /// Its length in bytes.
    const LEN: usize;
    /// Takes it from the front of `rest`.
    fn take(rest: &mut &[u8]) -> Self;
    /// Appends its bytes.
    fn put(&self, bytes: &mut Vec<u8>);
}

impl<const N: usize> Field for [u8; N] {
    const LEN: usize = N;

    fn take(rest: &mut &[u8]) -> Self {
        // The fields of a structure are together as long as its bytes, which is checked when this is
        // compiled; so there is always enough.
        let Some((field, behind)) = rest.split_first_chunk::<N>() else { return [0; N] };
        *rest = behind;
        *field
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }
}

impl Field for [[u8; 48]; 4] {
    const LEN: usize = 4 * 48;

    fn take(rest: &mut &[u8]) -> Self {
        std::array::from_fn(|_| Field::take(rest))
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_flattened());
    }
}

macro_rules! little_endian {
    ($($number:ty)*) => {
        $(impl Field for $number {
            const LEN: usize = size_of::<$number>();

            fn take(rest: &mut &[u8]) -> Self {
                <$number>::from_le_bytes(Field::take(rest))
            }

            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        })*
    };
}

little_endian!(u8 u16 u32);

/// Declares a structure whose fields follow each other without gaps, integers little endian.
macro_rules! layout {
    ($(#[$doc:meta])* pub struct $name:ident[$len:expr] { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl $name {
            /// The length in bytes.
            pub const LEN: usize = $len;

            /// Reads the fields. Any bytes are accepted: what they say is not looked at.
            pub fn from_bytes(bytes: &[u8; $len]) -> Self {
                const { assert!($(<$type as $crate::quote::layout::Field>::LEN +)* 0 == $len) };
                let mut rest = bytes.as_slice();
                $name { $($field: $crate::quote::layout::Field::take(&mut rest),)* }
            }

            /// The bytes of the fields.
            pub fn to_bytes(&self) -> Vec<u8> {
                let mut bytes = Vec::with_capacity($len);
                $($crate::quote::layout::Field::put(&self.$field, &mut bytes);)*
                bytes
            }
        }
    };
}

pub(super) use layout;
