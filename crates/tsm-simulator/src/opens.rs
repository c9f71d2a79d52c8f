//! Open files. As in configfs, a file is read as it was when its reading began, and binary data that are written
//! take effect together, when the file is closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::entry::INBLOB_MAX;

#[derive(Debug, Default)]
struct Open {
    read: Option<Arc<Vec<u8>>>,
    written: Option<Vec<u8>>,
    broken: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Opens {
    state: Mutex<(u64, HashMap<u64, Open>)>,
}

impl Opens {
    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<u64, Open>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self) -> u64 {
        let mut state = self.lock();
        state.0 += 1;
        let number = state.0;
        state.1.insert(number, Open::default());
        number
    }

    pub(crate) fn close(&self, number: u64) {
        self.lock().1.remove(&number);
    }

    /// What this file was when its reading began.
    pub(crate) fn content(&self, number: u64) -> Option<Arc<Vec<u8>>> {
        self.lock().1.get(&number)?.read.clone()
    }

    pub(crate) fn keep(&self, number: u64, content: Arc<Vec<u8>>) {
        if let Some(open) = self.lock().1.get_mut(&number) {
            open.read = Some(content);
        }
    }

    /// Takes a piece of binary data. After one that does not fit, nothing of this file takes effect.
    pub(crate) fn write(&self, number: u64, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let mut state = self.lock();
        let open = state.1.get_mut(&number).ok_or(Errno::BADF)?;
        let start = usize::try_from(offset).map_err(|_| Errno::FBIG)?;
        let end = start.checked_add(data.len()).filter(|end| *end <= INBLOB_MAX && !open.broken);
        let Some(end) = end else {
            open.broken = true;
            open.written = None;
            return Err(Errno::FBIG);
        };
        let written = open.written.get_or_insert_default();
        if written.len() < end {
            written.resize(end, 0);
        }
        for (to, from) in written.iter_mut().skip(start).zip(data) {
            *to = *from;
        }
        Ok(())
    }

    /// What was written since the file was opened or closed, once.
    pub(crate) fn take_written(&self, number: u64) -> Option<Vec<u8>> {
        self.lock().1.get_mut(&number)?.written.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_put_together_and_taken_once() {
        let opens = Opens::default();
        let file = opens.open();
        opens.write(file, 2, b"cd").unwrap();
        opens.write(file, 0, b"a").unwrap();
        assert_eq!(opens.take_written(file).unwrap(), b"a\0cd");
        assert_eq!(opens.take_written(file), None);
    }

    #[test]
    fn what_does_not_fit_spoils_the_whole() {
        let opens = Opens::default();
        for (offset, data) in [(0, vec![0; INBLOB_MAX + 1]), (1, vec![0; INBLOB_MAX]), (u64::MAX, vec![0])] {
            let file = opens.open();
            opens.write(file, 0, b"good").unwrap();
            assert_eq!(opens.write(file, offset, &data), Err(Errno::FBIG));
            assert_eq!(opens.write(file, 0, b"good"), Err(Errno::FBIG));
            assert_eq!(opens.take_written(file), None);
        }
        let file = opens.open();
        opens.write(file, 0, &[1; INBLOB_MAX]).unwrap();
        assert_eq!(opens.take_written(file).unwrap(), [1; INBLOB_MAX]);
    }

    #[test]
    fn a_closed_file_holds_nothing() {
        let opens = Opens::default();
        let file = opens.open();
        opens.keep(file, Arc::new(vec![1]));
        opens.close(file);
        assert_eq!(opens.content(file), None);
        assert_eq!(opens.write(file, 0, b"x"), Err(Errno::BADF));
    }
}
