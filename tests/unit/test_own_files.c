// Files that a probe needs, on a disk that does not answer: nothing else is held up, and it is no
// evidence about the service.
#include "probes/aside.h"
#include "tests/unit/http_server.h"
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/stat.h>

static struct fixture fixture;
static struct http_server server;
static char path[] = "/tmp/popgate-test-file-XXXXXX";

// This program's stat() and open() come before the C library's, and wait for that file while its
// disk hangs; but not while the configuration is checked, before there is a loop.
static atomic_bool disk_hangs;
static atomic_uint waiting, waited;
static pthread_t loop_thread;

static void wait_for_disk(const char *file)
{
    if (disk_hangs && strcmp(file, path) == 0 && !pthread_equal(pthread_self(), loop_thread)) {
        waiting++;
        while (disk_hangs) {
            usleep(1000);
        }
        waited++;
    }
}

int stat(const char *file, struct stat *out)
{
    wait_for_disk(file);
    return fstatat(AT_FDCWD, file, out, 0);
}

int open(const char *file, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    wait_for_disk(file);
    return openat(AT_FDCWD, file, flags, mode);
}

static const char *answer_nothing(const char *request)
{
    (void)request;
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    static const char secret[] = "s3cret\n";
    memset(path + strlen(path) - 6, 'X', 6);
    int fd = mkstemp(path); // readable by us only
    assert_true(fd >= 0);
    assert_int_equal(write(fd, secret, sizeof secret - 1), sizeof secret - 1);
    close(fd);
    waiting = waited = 0;
    loop_thread = pthread_self();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

static void begin(const char *type)
{
    fixture_open(&fixture, type);
    http_server_open(&server, &fixture.loop, "127.0.0.1");
    server.answer = answer_nothing;
    fixture_set(&fixture, "timeout", "100ms");
}

// Whoever still waits for the disk is left behind, and ends by itself.
static void end(void)
{
    http_server_close(&server);
    fixture_close(&fixture);
    assert_true(aside_is_busy());
    disk_hangs = false;
    while (aside_is_busy()) {
        guard_awaits("the end of what was left behind");
        sched_yield();
    }
    assert_int_equal(waited, waiting);
}

TEST(a_ca_file_that_does_not_come_in_time_is_no_evidence)
{
    begin("http");
    fixture_set(&fixture, "url", "https://127.0.0.1:9/");
    fixture_set(&fixture, "ca", path);
    disk_hangs = true;
    const struct verdict *verdict = fixture_run(&fixture, 3);
    assert_verdict(verdict, VERDICT_UNKNOWN, "local", "no content of the CA file /tmp/popgate-");
    assert_int_equal(waiting, 1); // and no more than one thread waits for it
    assert_int_equal(server.asked, 0);
    end();
}

TEST(a_secret_that_does_not_come_in_time_is_no_evidence)
{
    char url[128];
    begin("token");
    snprintf(url, sizeof url, "%s/token", server.url);
    fixture_set(&fixture, "token_url", url);
    fixture_set(&fixture, "jwks_url", url);
    fixture_set(&fixture, "client_id", "probe");
    fixture_set(&fixture, "secret_file", path);
    disk_hangs = true;
    const struct verdict *verdict = fixture_run(&fixture, 3);
    assert_verdict(verdict, VERDICT_UNKNOWN, "local",
                   "no content of the secret's or token's file within 100ms");
    assert_int_equal(waiting, 1);
    assert_int_equal(server.asked, 0);
    end();
}

// The CA file is the system's, which comes.
TEST(a_certificate_of_our_own_that_does_not_come_in_time_is_no_evidence)
{
    begin("http");
    fixture_set(&fixture, "url", "https://127.0.0.1:9/");
    fixture_set(&fixture, "timeout", "1s");
    fixture_set(&fixture, "client_cert", path);
    fixture_set(&fixture, "client_key", path);
    disk_hangs = true;
    const struct verdict *verdict = fixture_run(&fixture, 2);
    assert_verdict(verdict, VERDICT_UNKNOWN, "local", "no content of client_cert /tmp/popgate-");
    assert_int_equal(waiting, 1);
    assert_int_equal(server.asked, 0);
    end();
}
