//! What each call comes to in a recording.

use beaver_trace::TraceEvent;

use crate::place::{Place, can_record, python};

#[test]
fn calls_and_promises_are_in_one_order() {
    if !can_record() {
        return;
    }
    let made = python(
        "f = make('t')
os.write(f, b'hello')
print('written', flush=True)
os.fsync(f)
print('synced', flush=True)
os.rename(d + '/t', d + '/f')
os.close(f)
print('renamed', flush=True)
r = os.open(d, os.O_RDONLY)
os.fsync(r)
print('all')
sys.stdout.write('not whole')",
    );
    made.events_are(
        "begin
        create t
        write 1 0+5
        ack written
        fsync 1
        ack synced
        rename t f
        ack renamed
        fsync-dir 0
        ack all",
    );
    assert_eq!(made.said, "written\nsynced\nrenamed\nall\nnot whole");
    assert_eq!(made.recorded.disk.live().read("f").unwrap(), b"hello");
}

#[test]
fn a_program_that_holds_its_lines_back_says_them_at_once_on_a_terminal() {
    if !can_record() {
        return;
    }
    // No line is flushed: C does that by itself where it prints to a terminal, and at the end otherwise.
    let script = "import ctypes
c = ctypes.CDLL(None)
f = make('f')
for n in range(3):
    os.write(f, b'x')
    c.printf(b'%d\\n', n)
os.write(f, b'x')
c.printf(b'%s\\nnot whole', b'much' * 5000)";
    let writes = "begin\ncreate f\nwrite 1 0+1\n";
    let much = "much".repeat(5000);
    let made = Place {
        terminal: true,
        ..Place::new()
    }
    .python(script);
    made.events_are(&format!(
        "{writes}ack 0\nwrite 1 1+1\nack 1\nwrite 1 2+1\nack 2\nwrite 1 3+1\nack {much}"
    ));
    assert_eq!(made.said, format!("0\n1\n2\n{much}\nnot whole"));
    let late = python(script);
    assert!(
        matches!(late.log.events[5], TraceEvent::Call { .. }),
        "{:?}",
        late.log.events[5]
    );
    assert_eq!(late.acks(), made.acks());
}

#[test]
fn writes_to_a_mapping_come_when_they_are_synced_or_the_file_is_closed() {
    if !can_record() {
        return;
    }
    let made = python(
        "import mmap
f = make('m')
os.ftruncate(f, 12288)
m = mmap.mmap(f, 12288)
m[4096:4100] = b'page'
print('stored', flush=True)
m.flush()
print('synced', flush=True)
m[8192:8196] = b'last'
m.close()
os.close(f)
print('closed', flush=True)",
    );
    made.events_are(
        "begin
        create m
        truncate 1 12288
        ack stored
        write 1 4096+4096 mapped
        fdatasync 1
        ack synced
        write 1 8192+4096 mapped
        ack closed",
    );
    assert_eq!(made.recorded.summary.mapped_writes, 2);
    assert_eq!(made.recorded.summary.files_never_synced, ["m"]);
}

#[test]
fn files_opened_for_durable_writes_are_synced_by_each_write_and_direct_ones_are_not() {
    if !can_record() {
        return;
    }
    let made = python(
        "import mmap
f = make('d', os.O_DSYNC)
os.write(f, b'12')
os.write(f, b'34')
f = make('s', os.O_SYNC)
os.write(f, b'12')
os.write(f, b'34')
f = make('direct', os.O_DIRECT)
page = mmap.mmap(-1, 4096)
os.write(f, page)",
    );
    made.events_are(
        "begin
        create d
        write 1 0+2
        fdatasync 1
        write 1 2+2
        fdatasync 1
        create s
        write 2 0+2
        fsync 2
        write 2 2+2
        fsync 2
        create direct
        write 3 0+4096",
    );
}

#[test]
fn links_directories_lengths_and_permissions_are_recorded() {
    if !can_record() {
        return;
    }
    let made = python(
        "os.mkdir(d + '/dir')
f = make('dir/f')
os.link(d + '/dir/f', d + '/l')
os.symlink('dir/f', d + '/s')
assert open(d + '/s').read() == ''
assert os.readlink(d + '/s') == 'dir/f'
assert os.stat(d + '/l').st_nlink == 2
os.posix_fallocate(f, 100, 50)
os.posix_fallocate(f, 0, 10)
os.truncate(d + '/l', 7)
os.truncate(d + '/l', 7)
os.chmod(d + '/l', 0o600)
os.chmod(d + '/dir', 0o700)
os.unlink(d + '/dir/f')
os.close(f)
os.unlink(d + '/s')
os.rmdir(d + '/dir')
a = os.open(d + '/l', os.O_WRONLY | os.O_APPEND)
os.write(a, b'end')
assert os.listdir(d) == ['l'], os.listdir(d)
assert open(d + '/l').read() == '\\0' * 7 + 'end'",
    );
    let events: Vec<_> = made.log.events.iter().collect();
    assert!(!events.is_empty());
    // When the kernel forgets the link and the directory is its own affair.
    let mut made = made;
    made.log
        .events
        .retain(|event| !matches!(event, beaver_trace::TraceEvent::LetGo(_)));
    made.events_are(
        "begin
        mkdir dir
        create 1/f
        link 2 l
        symlink s dir/f
        allocate 2 150
        truncate 2 7
        mode 2 600
        mode 1 700
        remove 1/f
        remove s
        rmdir dir
        write 2 7+3",
    );
}

#[test]
fn a_file_without_a_name_is_let_go_after_its_last_close() {
    if !can_record() {
        return;
    }
    let made = python(
        "f = make('t')
os.unlink(d + '/t')
os.write(f, b'still there')
assert os.pread(f, 5, 6) == b'there'
print('closing', flush=True)
os.close(f)",
    );
    made.events_are(
        "begin
        create t
        remove t
        write 1 0+11
        ack closing
        let-go 1",
    );
}

#[test]
fn the_setup_is_durable_and_comes_before() {
    if !can_record() {
        return;
    }
    let place = Place {
        setup: Some("echo old > {dir}/f; echo said".to_owned()),
        ..Place::new()
    };
    let made = place.python("os.write(make('f'), b'n')");
    made.events_are(
        "create f
        write 1 0+4
        begin
        write 1 0+1",
    );
    assert_eq!(made.recorded.summary.calls["write"], 1);
    let space = made.recorded.disk.crash_between_calls().images();
    for image in space.enumerate(100).unwrap() {
        let bytes = image.image.read("f").unwrap();
        assert!(bytes == b"old\n" || bytes == b"nld\n", "{bytes:?}");
    }
}

#[test]
fn what_the_system_does_by_itself_works() {
    if !can_record() {
        return;
    }
    let made = python(
        "import fcntl, socket, subprocess
s = socket.socket(socket.AF_UNIX)
s.bind(d + '/socket')
s.listen()
c = socket.socket(socket.AF_UNIX)
c.connect(d + '/socket')
os.mkfifo(d + '/fifo')
os.rename(d + '/fifo', d + '/pipe')
assert sorted(os.listdir(d)) == ['pipe', 'socket'], os.listdir(d)
cat = subprocess.Popen(['cat', d + '/pipe'], stdout=subprocess.PIPE)
open(d + '/pipe', 'w').write('through')
assert cat.communicate()[0] == b'through'
os.unlink(d + '/socket')
a, b = make('a'), make('b')
os.write(a, b'1234')
assert os.copy_file_range(a, b, 4, 0, 0) == 4
os.lseek(b, 4, 0)
assert os.sendfile(b, a, 0, 4) == 4
fcntl.flock(a, fcntl.LOCK_EX)
fcntl.lockf(a, fcntl.LOCK_EX)
assert os.lseek(a, 0, os.SEEK_HOLE) == 4
assert os.statvfs(d).f_bavail > 1000
os.access(d + '/a', os.W_OK)
open(d + '/run', 'w').write('#!/bin/sh\\necho ran')
os.chmod(d + '/run', 0o755)
print(subprocess.check_output([d + '/run']).decode(), end='')",
    );
    assert_eq!(made.acks(), ["ran"]);
    assert_eq!(
        made.recorded.ended,
        beaver_trace::ProgramEnd::With { code: 0 }
    );
    assert_eq!(made.recorded.summary.calls["create"], 3);
    assert_eq!(made.recorded.disk.live().read("b").unwrap(), b"12341234");
}

#[test]
fn a_directory_that_is_emptied_while_it_is_read_loses_no_entry() {
    if !can_record() {
        return;
    }
    let made = python(
        "for i in range(3000):
    os.close(make(f'file-{i}'))
for entry in os.scandir(d):
    os.unlink(entry.path)
os.mkdir(d + '/last')
print(os.listdir(d))",
    );
    assert_eq!(made.acks(), ["['last']"]);
}

#[test]
fn a_large_write_is_one_and_not_cut_into_pages() {
    if !can_record() {
        return;
    }
    let made = python("f = make('f')\nos.write(f, b'x' * (1 << 20))");
    made.events_are("begin\ncreate f\nwrite 1 0+1048576");
}
