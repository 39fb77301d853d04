//! Definitions of types together with their binary form, so that the two
//! cannot drift apart.

/// A struct whose fields follow one another.
macro_rules! wire_struct {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$fmeta:meta])* pub $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct $name {
            $($(#[$fmeta])* pub $field: $type,)*
        }

        impl $crate::codec::Wire for $name {
            fn put(&self, out: &mut $crate::codec::Writer<'_>)
                -> Result<(), $crate::codec::EncodeError> {
                $($crate::codec::Wire::put(&self.$field, out)?;)*
                Ok(())
            }
            fn take(input: &mut $crate::codec::Reader<'_>)
                -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self { $($field: $crate::codec::Wire::take(input)?,)* })
            }
        }
    };
}

/// An enum of unit variants, each with its octet.
macro_rules! wire_choice {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$vmeta:meta])* $variant:ident = $octet:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)*
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
        }

        $crate::wire::wire_octets!($name { $($variant = $octet,)* });
    };
}

/// The octets of an enum of unit variants that is defined elsewhere.
macro_rules! wire_octets {
    ($name:ident { $($variant:ident = $octet:literal,)* }) => {
        impl $crate::codec::Wire for $name {
            fn put(&self, out: &mut $crate::codec::Writer<'_>)
                -> Result<(), $crate::codec::EncodeError> {
                out.octet(match self { $(Self::$variant => $octet,)* });
                Ok(())
            }
            fn take(input: &mut $crate::codec::Reader<'_>)
                -> Result<Self, $crate::codec::DecodeError> {
                match input.octet()? {
                    $($octet => Ok(Self::$variant),)*
                    other => Err($crate::codec::DecodeError::Variant(other)),
                }
            }
        }
    };
}

/// An enum whose variants hold named fields, each with its octet.
macro_rules! wire_enum {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$vmeta:meta])* $variant:ident = $octet:literal
            { $($(#[$fmeta:meta])* $field:ident: $type:ty),* $(,)? },)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum $name {
            $($(#[$vmeta])* $variant { $($(#[$fmeta])* $field: $type),* },)*
        }

        impl $crate::codec::Wire for $name {
            fn put(&self, out: &mut $crate::codec::Writer<'_>)
                -> Result<(), $crate::codec::EncodeError> {
                match self {
                    $(Self::$variant { $($field),* } => {
                        out.octet($octet);
                        $($crate::codec::Wire::put($field, out)?;)*
                    })*
                }
                Ok(())
            }
            fn take(input: &mut $crate::codec::Reader<'_>)
                -> Result<Self, $crate::codec::DecodeError> {
                match input.octet()? {
                    $($octet => Ok(Self::$variant {
                        $($field: $crate::codec::Wire::take(input)?),*
                    }),)*
                    other => Err($crate::codec::DecodeError::Variant(other)),
                }
            }
        }
    };
}

/// All messages of one direction: each variant holds at most one value. A
/// variant marked with `[n]` goes with n descriptors.
macro_rules! wire_messages {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$vmeta:meta])* $variant:ident $(($type:ty))? = $octet:literal $([$fds:expr])?,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        #[allow(
            clippy::large_enum_variant,
            reason = "messages are made, sent and taken apart one at a time"
        )]
        pub enum $name {
            $($(#[$vmeta])* $variant $(($type))?,)*
        }

        impl $crate::codec::Message for $name {
            const HAS_SETUP: bool = $($octet == $crate::codec::SETUP)||*;
            #[allow(irrefutable_let_patterns, reason = "a direction may have one message")]
            fn encode(&self, out: &mut zeroize::Zeroizing<Vec<u8>>)
                -> Result<(), $crate::codec::EncodeError> {
                let mut out = $crate::codec::Writer::new(out);
                let out = &mut out;
                $($crate::wire::wire_messages!(@put self, out, $name, $variant, $octet $(, $type)?);)*
                Ok(())
            }
            fn decode(bytes: &[u8]) -> Result<Self, $crate::codec::DecodeError> {
                let mut input = $crate::codec::Reader::new(bytes);
                let message = match input.octet()? {
                    $($octet => Self::$variant
                        $((<$type as $crate::codec::Wire>::take(&mut input)?))?,)*
                    other => return Err($crate::codec::DecodeError::Variant(other)),
                };
                input.finish()?;
                Ok(message)
            }
            fn descriptors(&self) -> usize {
                $($(if matches!(self, Self::$variant { .. }) {
                    let count: fn(&Self) -> usize = $fds;
                    return count(self);
                })?)*
                0
            }
        }
    };
    (@put $self:ident, $out:ident, $name:ident, $variant:ident, $octet:literal, $type:ty) => {
        if let $name::$variant(value) = $self {
            $out.octet($octet);
            $crate::codec::Wire::put(value, $out)?;
        }
    };
    (@put $self:ident, $out:ident, $name:ident, $variant:ident, $octet:literal) => {
        if let $name::$variant = $self {
            $out.octet($octet);
        }
    };
}

pub(crate) use {wire_choice, wire_enum, wire_messages, wire_octets, wire_struct};
