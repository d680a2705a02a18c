//! The seam to C: a VFS for each disk, whose calls go to [`Disk`] and [`File`]. All `unsafe` of the package is here.
//!
//! There are no locks, because one process has the database, and no shared memory: a WAL needs `locking_mode=EXCLUSIVE`.
#![expect(unsafe_code, reason = "SQLite calls its VFS through C")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::ffi;

use crate::file::{Disk, File};

/// A VFS that SQLite knows, until it is dropped. Connections are to be closed before.
pub(crate) struct Vfs {
    name: Box<CStr>,
    vfs: *mut ffi::sqlite3_vfs,
}

/// What SQLite makes room for: its part first.
#[repr(C)]
struct Opened {
    base: ffi::sqlite3_file,
    /// From [`Box::into_raw`]; as long as `base` has methods.
    file: *mut File,
}

impl Vfs {
    /// # Panics
    /// If SQLite has no memory.
    pub(crate) fn register(disk: Disk) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = CString::new(format!("disk-{number}")).expect("it has no zero");
        let name = name.into_boxed_c_str();
        let disk: Box<Arc<Disk>> = Box::new(Arc::new(disk));
        let vfs = ffi::sqlite3_vfs {
            iVersion: 1,
            szOsFile: size_of::<Opened>() as c_int,
            mxPathname: 64,
            pNext: ptr::null_mut(),
            zName: name.as_ptr(),
            pAppData: Box::into_raw(disk).cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: None,
            xCurrentTimeInt64: None,
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        };
        let vfs = Box::into_raw(Box::new(vfs));
        // SAFETY: `vfs` and its name live until `drop` has taken the VFS back.
        let registered = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        assert_eq!(registered, ffi::SQLITE_OK, "SQLite refuses a VFS");
        Vfs { name, vfs }
    }

    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }
}

impl Drop for Vfs {
    fn drop(&mut self) {
        // SAFETY: both pointers are of boxes that `register` has given away, and after `unregister` no connection uses them.
        unsafe {
            ffi::sqlite3_vfs_unregister(self.vfs);
            let vfs = Box::from_raw(self.vfs);
            drop(Box::from_raw(vfs.pAppData.cast::<Arc<Disk>>()));
        }
    }
}

/// The random numbers of SQLite, which are those of the whole process, come from this seed from here on.
pub(crate) fn seed_randomness(seed: c_int) {
    let no_database = ptr::null_mut::<ffi::sqlite3>();
    // SAFETY: the arguments are those that this verb is documented to take.
    unsafe { ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, seed, no_database) };
}

/// # Safety
/// `vfs` is one that [`Vfs::register`] made.
unsafe fn disk<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Arc<Disk> {
    // SAFETY: `pAppData` is of a box that lives as long as the VFS is registered.
    unsafe { &*(*vfs).pAppData.cast() }
}

/// # Safety
/// `path` is a string of SQLite's, longer-lived than the call.
unsafe fn name<'a>(path: *const c_char) -> Option<&'a str> {
    if path.is_null() {
        return None;
    }
    // SAFETY: by the contract.
    unsafe { CStr::from_ptr(path) }.to_str().ok()
}

/// # Safety
/// `file` was opened by [`open`], and no other reference to it lives.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a mut File {
    // SAFETY: a file with methods has its own part, and SQLite uses one file on one thread at a time.
    unsafe { &mut *(*file.cast::<Opened>()).file }
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives one of our VFS, a path or null, and room for an `Opened`.
    unsafe {
        (*file).pMethods = ptr::null();
        // Without a name it is a temporary file: they are kept in memory.
        let Some(name) = name(path) else {
            return ffi::SQLITE_CANTOPEN;
        };
        match disk(vfs).open(name, flags) {
            Ok(made) => {
                (*file.cast::<Opened>()).file = Box::into_raw(Box::new(made));
                (*file).pMethods = &raw const METHODS;
                if !flags_out.is_null() {
                    *flags_out = flags;
                }
                ffi::SQLITE_OK
            }
            Err(code) => code,
        }
    }
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    syncs_directory: c_int,
) -> c_int {
    // SAFETY: SQLite gives one of our VFS and a path.
    match unsafe { (disk(vfs), name(path)) } {
        (disk, Some(name)) => disk.remove(name, syncs_directory != 0),
        (_, None) => ffi::SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives one of our VFS and a path.
    let (disk, name) = unsafe { (disk(vfs), name(path)) };
    let even_if_empty = flags != ffi::SQLITE_ACCESS_EXISTS;
    match name.map_or(Ok(false), |name| disk.has(name, even_if_empty)) {
        Ok(has) => {
            // SAFETY: SQLite waits for the answer there.
            unsafe { *out = c_int::from(has) };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

/// Names are full paths already.
unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    len: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite gives a string, and room for `len` bytes.
    unsafe {
        let bytes = CStr::from_ptr(path).to_bytes_with_nul();
        if bytes.len() > usize::try_from(len).unwrap_or(0) {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, len: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite gives room for `len` bytes.
    unsafe { ptr::write_bytes(out, 7, usize::try_from(len).unwrap_or(0)) };
    len
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    micros
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite waits for the answer there: a Julian day.
    unsafe { *out = 2_460_000.0 };
    ffi::SQLITE_OK
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(no_lock),
    xUnlock: Some(no_lock),
    xCheckReservedLock: Some(is_reserved),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file that `open` made, once; nothing uses its methods afterwards.
    unsafe {
        (*file).pMethods = ptr::null();
        Box::from_raw((*file.cast::<Opened>()).file).close()
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    out: *mut c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let len = usize::try_from(len).unwrap_or(0);
    // SAFETY: SQLite gives an open file, and room for `len` bytes that are its own and written before.
    let (file, out) = unsafe {
        (
            opened(file),
            std::slice::from_raw_parts_mut(out.cast(), len),
        )
    };
    file.read(out, at.cast_unsigned())
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let len = usize::try_from(len).unwrap_or(0);
    // SAFETY: SQLite gives an open file and `len` bytes.
    let (file, bytes) = unsafe { (opened(file), std::slice::from_raw_parts(bytes.cast(), len)) };
    file.write(bytes, at.cast_unsigned())
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives an open file.
    unsafe { opened(file) }.truncate(len.cast_unsigned())
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    unsafe { opened(file) }.sync()
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    out: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives an open file.
    match unsafe { opened(file) }.size() {
        Ok(size) => {
            // SAFETY: SQLite waits for the answer there.
            unsafe { *out = size.cast_signed() };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn no_lock(_: *mut ffi::sqlite3_file, _level: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn is_reserved(_: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite waits for the answer there.
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(
    _: *mut ffi::sqlite3_file,
    _op: c_int,
    _argument: *mut c_void,
) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite gives an open file.
    unsafe { opened(file) }.device().0
}
