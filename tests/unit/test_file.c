// Files replaced as a whole: what was done to the disk, and in which order. A file that was not
// synced before it took the old one's place is empty after a power cut, and a name that was not
// synced is not there.
//
// This program's write(), fsync(), fdatasync(), rename() and unlink() come before the C library's,
// and note what is done in the test's directory.
#include "base/error.h"
#include "base/file.h"

#include "controller/daemon/birdconf_file.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OLD "{\"version\":1}\n"
#define NEW "{\"version\":1,\"services\":{}}\n"

static char directory[64];
static char done[512];         // in the directory, in this order
static const char *fails_with; // the step that fails, as done tells it; NULL: none
static char error[ERROR_MAX];

// The name below the test's directory, "." for itself; NULL: it is elsewhere.
static const char *name_in_directory(const char *path)
{
    size_t length = strlen(directory);
    if (length == 0 || strncmp(path, directory, length) != 0) {
        return NULL;
    }
    return path[length] == '/' ? path + length + 1 : ".";
}

// False: it is to fail, with errno.
static bool note(const char *what, const char *path)
{
    char step[128];
    const char *name = name_in_directory(path);
    if (name == NULL) {
        return true;
    }
    snprintf(step, sizeof step, "%s %.100s", what, name);
    size_t used = strlen(done);
    snprintf(done + used, sizeof done - used, "%s%s", used > 0 ? ", " : "", step);
    errno = EIO;
    return fails_with == NULL || strcmp(fails_with, step) != 0;
}

static bool note_fd(const char *what, int fd)
{
    char link[64];
    char path[128];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    bool goes_on = note(what, path);
    errno = goes_on ? before : errno;
    return goes_on;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return note_fd("write", fd) ? syscall(SYS_write, fd, bytes, length) : -1;
}

int fsync(int fd)
{
    return note_fd("sync", fd) ? (int)syscall(SYS_fsync, fd) : -1;
}

int fdatasync(int fd)
{
    return note_fd("sync", fd) ? (int)syscall(SYS_fdatasync, fd) : -1;
}

int rename(const char *from, const char *to)
{
    return note("rename", from) ? (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0) : -1;
}

int unlink(const char *path)
{
    struct stat stat;
    return lstat(path, &stat) != 0 || note("remove", path)
               ? (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0)
               : -1;
}

static int start(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test_file.XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    int failed = file_replace(directory, "ledger.json", OLD, strlen(OLD), 0600, error);
    done[0] = '\0';
    fails_with = NULL;
    return failed;
}

static int stop(void **state)
{
    (void)state;
    char path[128];
    fails_with = NULL;
    snprintf(path, sizeof path, "%s/ledger.json", directory);
    unlink(path);
    return rmdir(directory); // nothing else was left there
}

TEST_FIXTURE(start, stop);

static int replace(void)
{
    return file_replace(directory, "ledger.json", NEW, strlen(NEW), 0600, error);
}

static void assert_text(const char *expected)
{
    char path[128];
    char *text;
    size_t length;
    char why[ERROR_MAX];
    snprintf(path, sizeof path, "%s/ledger.json", directory);
    assert_int_equal(file_read(path, 1024, &text, &length, why), 0);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
    free(text);
}

TEST(a_file_is_on_disk_before_it_takes_the_old_ones_place_and_its_name_after)
{
    assert_int_equal(replace(), 0);
    assert_string_equal(done, "write ledger.json.tmp, sync ledger.json.tmp, "
                              "rename ledger.json.tmp, sync .");
    assert_text(NEW);
}

TEST(whatever_fails_before_leaves_the_old_file_and_nothing_beside_it)
{
    static const struct {
        const char *step, *says;
    } table[] = {
        {"write ledger.json.tmp", "can't write %s/ledger.json.tmp: Input/output error"},
        {"sync ledger.json.tmp", "can't sync %s/ledger.json.tmp: Input/output error"},
        {"rename ledger.json.tmp",
         "can't put the new file in place of %s/ledger.json: Input/output error"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char says[ERROR_MAX];
        snprintf(says, sizeof says, table[i].says, directory);
        fails_with = table[i].step;
        assert_int_equal(replace(), -EIO);
        assert_string_equal(error, says);
        assert_text(OLD);
        fails_with = NULL;
    }
}

TEST(a_name_that_may_not_last_is_no_success)
{
    char says[ERROR_MAX];
    snprintf(says, sizeof says, "can't sync the directory %s: Input/output error", directory);
    fails_with = "sync .";
    assert_int_equal(replace(), -EIO);
    assert_string_equal(error, says);
    assert_text(NEW);
}

TEST(what_root_writes_belongs_to_the_directorys_owner)
{
    char path[128];
    struct stat file;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chown(directory, 65534, 65533), 0);
    assert_int_equal(file_replace(directory, "ledger.json", NEW, sizeof NEW - 1, 0640, error), 0);
    snprintf(path, sizeof path, "%s/ledger.json", directory);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_uid, 65534);
    assert_int_equal(file.st_gid, 65533);
    assert_int_equal(file.st_mode & 0777, 0640);
}

TEST(what_a_crash_left_is_not_written_to)
{
    char left[128];
    char victim[128];
    snprintf(left, sizeof left, "%s/ledger.json.tmp", directory);
    snprintf(victim, sizeof victim, "%s/ledger.json", directory);
    assert_int_equal(link(victim, left), 0);
    fails_with = "rename ledger.json.tmp";
    assert_int_equal(replace(), -EIO);
    assert_text(OLD);
}

TEST(bird_finds_the_include_file_whole_or_not_at_all)
{
    assert_int_equal(birdconf_save(directory, "x", 1, error), 0);
    assert_string_equal(done,
                        "write bird.conf.tmp, sync bird.conf.tmp, rename bird.conf.tmp, sync .");
    done[0] = '\0';
    assert_int_equal(birdconf_save(directory, NULL, 0, error), 0);
    assert_string_equal(done, "remove bird.conf, sync .");
}

// In a process of its own, whose standard descriptors may go.
TEST(what_is_closed_of_the_standard_descriptors_is_dev_null)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct stat null;
        struct stat opened;
        close(STDIN_FILENO);
        close(STDERR_FILENO);
        bool good = file_open_standard() && stat("/dev/null", &null) == 0;
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd += STDERR_FILENO) {
            good = good && fstat(fd, &opened) == 0 && opened.st_rdev == null.st_rdev;
        }
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}
