//! Numbers out of octets, the low octet first.

pub(super) fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    let octets = octets.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*octets))
}

pub(super) fn u64_at(octets: &[u8], at: usize) -> Option<u64> {
    let octets = octets.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*octets))
}
