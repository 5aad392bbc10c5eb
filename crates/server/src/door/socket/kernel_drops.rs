//! How many datagrams the kernel threw away before they could be read: a column of
//! `/proc/net/udp` and `/proc/net/udp6`, by the socket's inode. The control message that says so
//! with each datagram (`SO_RXQ_OVFL`) cannot be had without unsafe code.

use std::io;

/// The drops of the socket with `inode` in a table of the kernel's.
#[must_use]
pub fn drops_in(table: &str, inode: u64) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let found = columns.nth(9)?.parse::<u64>().ok()?;
        let drops = columns.nth(2)?.parse().ok()?;
        (found == inode).then_some(drops)
    })
}

/// Counts what is new.
#[derive(Debug)]
pub struct KernelDrops {
    inode: u64,
    seen: u64,
}

impl KernelDrops {
    /// Of the socket with this inode, which has dropped nothing yet.
    #[must_use]
    pub const fn new(inode: u64) -> Self {
        Self { inode, seen: 0 }
    }

    /// Drops since the last call.
    ///
    /// # Errors
    /// Neither table can be read, or the socket is in none.
    pub fn new_ones(&mut self) -> io::Result<u64> {
        let read = |path| std::fs::read_to_string(path).ok().and_then(|table| drops_in(&table, self.inode));
        let Some(now) = read("/proc/net/udp").or_else(|| read("/proc/net/udp6")) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the socket is in neither /proc/net/udp nor /proc/net/udp6"));
        };
        // The kernel's counter has 32 bits.
        let new = if now >= self.seen { now - self.seen } else { now + (1 << 32) - self.seen };
        self.seen = now;
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  321: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 31337 2 0000000000000000 42
 1068: 00000000:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 4711 2 0000000000000000 0
";

    #[test]
    fn the_sockets_own_line_is_found_by_its_inode() {
        assert_eq!(drops_in(TABLE, 31_337), Some(42));
        assert_eq!(drops_in(TABLE, 4_711), Some(0));
        assert_eq!(drops_in(TABLE, 1), None);
        assert_eq!(drops_in("nonsense\n1 2 3\n", 1), None);
    }

    #[test]
    fn a_real_socket_is_found_and_has_dropped_nothing() -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        let inode = std::fs::File::from(std::os::fd::OwnedFd::from(socket.try_clone()?)).metadata()?.ino();
        assert_eq!(KernelDrops::new(inode).new_ones()?, 0);
        Ok(())
    }
}
