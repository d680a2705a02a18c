//! What is not supported is refused cleanly, and said.

use crate::place::{can_record, python};

#[test]
fn what_cannot_be_recorded_is_refused() {
    if !can_record() {
        return;
    }
    let made = python(
        "import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def refuse(number, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        assert error.errno == number, (call, error)
    else:
        raise Exception(call)
def c(call):
    if call() != 0:
        raise OSError(ctypes.get_errno(), '')
a, b = os.fsencode(d + '/a'), os.fsencode(d + '/b')
f, g = make('a'), make('b')
exchange = lambda: libc.renameat2(-100, a, -100, b, 2)
keep = lambda: libc.renameat2(-100, a, -100, b, 1)
refuse(errno.EINVAL, c, exchange)
refuse(errno.EEXIST, c, keep)
refuse(errno.EOPNOTSUPP, os.open, d, os.O_TMPFILE | os.O_RDWR)
refuse(errno.EOPNOTSUPP, os.setxattr, a, 'user.x', b'1')
refuse(errno.EOPNOTSUPP, os.getxattr, a, 'user.x')
offset = ctypes.c_long
assert libc.fallocate(f, 1, offset(0), offset(4096)) == 0 and os.stat(f).st_size == 0
for mode in [3, 0x10]:
    punch = lambda: libc.fallocate(f, mode, offset(0), offset(4096))
    refuse(errno.EOPNOTSUPP, c, punch)
refuse(errno.EILSEQ, os.open, os.fsencode(d) + b'/\\xff', os.O_CREAT | os.O_RDWR)
refuse(errno.EILSEQ, os.symlink, b'\\xfe', os.fsencode(d) + b'/l')
refuse(errno.ENAMETOOLONG, make, 'n' * 256)
refuse(errno.ENOTEMPTY, os.rename, d, d + '/x') if False else None
os.mkdir(d + '/full'); os.mkfifo(d + '/full/fifo'); os.mkdir(d + '/dir')
refuse(errno.EOPNOTSUPP, os.link, d + '/full/fifo', d + '/fifo')
refuse(errno.ENOTEMPTY, os.rmdir, d + '/full')
refuse(errno.ENOTEMPTY, os.rename, d + '/dir', d + '/full')
refuse(errno.EEXIST, os.mkdir, d + '/a')
refuse(errno.ENOENT, os.unlink, d + '/none')
print('refused')",
    );
    assert_eq!(made.acks(), ["refused"]);
    let warnings = made.recorded.warnings.join("\n");
    for word in ["exchanges", "EOPNOTSUPP", "\"\\xFF\"", "\"\\xFE\""] {
        assert!(warnings.contains(word), "{word}: {warnings}");
    }
    made.events_are(
        "begin
        create a
        create b
        mkdir full
        mkdir dir
        ack refused",
    );
}

#[test]
fn it_is_said_who_can_sync_unseen() {
    if !can_record() {
        return;
    }
    let made = python("make('a')");
    let warnings = made.recorded.warnings.join("\n");
    assert!(warnings.contains("can call sync(2)"), "{warnings}");
    assert!(warnings.contains("python"), "{warnings}");
}
