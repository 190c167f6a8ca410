// Nothing that a probe does on the loop may keep the loop: it touches no file, starts no program,
// asks no resolver, sleeps for nothing and searches for no expression there. Whatever type there
// is, one check after the other is run, with every file that it may be given, against servers that
// answer, and all such calls are told apart by their thread.
//
// They are this program's own functions, which come before the C library's.
#include "tests/unit/http_server.h"
#include "tests/unit/issued.h"
#include "tests/unit/own_directory.h"
#include "tests/unit/probe_fixture.h"
#include "tests/unit/tls_server.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <regex.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define NAME "dns.example.net"

static struct fixture fixture;
static struct tls_server tls_server;
static struct http_server http_server;
static struct issued root, leaf, ours;

// ---- Who calls what

static pthread_t loop_thread;
static bool watched; // the loop runs
static char touched[512];
static atomic_uint apart; // such calls on other threads: that they are seen at all

static void note(const char *call, const char *on)
{
    if (!pthread_equal(pthread_self(), loop_thread)) {
        apart++;
    } else if (watched && touched[0] == '\0') {
        snprintf(touched, sizeof touched, "%s(%.400s)", call, on);
    }
}

// The C library's own.
static void find(const char *name, void *function)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol);
}

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        mode_t mode = mode_of(flags, arguments);                                                   \
        va_end(arguments);                                                                         \
        note(#name, path);                                                                         \
        return openat(AT_FDCWD, path, flags, mode);                                                \
    }
OPEN(open)
OPEN(open64)

#define WRAP(type, name, parameters, on, ...)                                                      \
    type name parameters                                                                           \
    {                                                                                              \
        __typeof__(&(name)) real;                                                                  \
        find(#name, &real);                                                                        \
        note(#name, on);                                                                           \
        return real(__VA_ARGS__);                                                                  \
    }
WRAP(FILE *, fopen, (const char *path, const char *mode), path, path, mode)
WRAP(FILE *, fopen64, (const char *path, const char *mode), path, path, mode)
WRAP(int, stat, (const char *path, struct stat *out), path, path, out)
WRAP(int, stat64, (const char *path, struct stat64 *out), path, path, out)
WRAP(int, lstat, (const char *path, struct stat *out), path, path, out)
WRAP(int, access, (const char *path, int mode), path, path, mode)
WRAP(ssize_t, readlink, (const char *path, char *out, size_t size), path, path, out, size)
WRAP(DIR *, opendir, (const char *path), path, path)
WRAP(int, posix_spawn,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
      const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]),
     path, pid, path, actions, attributes, argv, environment)
WRAP(int, posix_spawnp,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
      const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]),
     path, pid, path, actions, attributes, argv, environment)
WRAP(int, regcomp, (regex_t * regex, const char *text, int flags), text, regex, text, flags)
WRAP(int, regexec,
     (const regex_t *regex, const char *text, size_t count, regmatch_t matches[count], int flags),
     "a body", regex, text, count, matches, flags)
WRAP(int, getaddrinfo,
     (const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out),
     host, host, service, hints, out)
WRAP(int, nanosleep, (const struct timespec *time, struct timespec *left), "", time, left)
WRAP(int, usleep, (useconds_t us), "", us)

pid_t waitpid(pid_t pid, int *status, int options)
{
    __typeof__(&waitpid) real;
    find("waitpid", &real);
    if (!(options & WNOHANG)) {
        note("waitpid", "without WNOHANG");
    }
    return real(pid, status, options);
}

// ---- The files

static int set_up(void **state)
{
    (void)state;
    loop_thread = pthread_self();
    return 0;
}

static void make_files(void)
{
    assert_non_null(mkdtemp(directory));
    root = issue("Root", NULL, NULL);
    leaf = issue("server", "DNS:" NAME, &root);
    ours = issue("popgate", NULL, &root);
    FILE *file = create("ca.pem");
    assert_int_equal(PEM_write_X509(file, root.x509), 1);
    assert_int_equal(fclose(file), 0);
    file = create("ours.pem");
    assert_int_equal(PEM_write_X509(file, ours.x509), 1);
    assert_int_equal(PEM_write_PrivateKey(file, ours.key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    file = create("secret");
    assert_true(fputs("s3cret\n", file) > 0);
    assert_int_equal(fclose(file), 0);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"ca.pem", "ours.pem", "secret"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unlink(path_of(names[i]));
    }
    rmdir(directory);
    issued_drop(&root);
    issued_drop(&leaf);
    issued_drop(&ours);
    return 0;
}

TEST_GROUP(set_up, tear_down);

// ---- The types

static const char *answer_hostile(const char *request)
{
    static char answer[9000];
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 200 OK\r\nContent-Length: 8192\r\nConnection: close\r\n\r\n");
    (void)request;
    for (int i = 0; i < 8192; i++) {
        answer[length + i] = (i * i / 7) & 1 ? 'a' : 'b';
    }
    return answer;
}

static void set_url(const char *key)
{
    char url[64];
    snprintf(url, sizeof url, "https://" NAME ":%u/", tls_server.port);
    fixture_set(&fixture, key, url);
}

static void set_tls(void)
{
    fixture_target(&fixture, "127.0.0.1", tls_server.port);
    fixture_set(&fixture, "ca", path_of("ca.pem"));
    fixture_set(&fixture, "client_cert", path_of("ours.pem"));
    fixture_set(&fixture, "client_key", path_of("ours.pem"));
}

static void set_dns(void)
{
    fixture_target(&fixture, "127.0.0.1", free_port());
    fixture_set(&fixture, "qname", "id.server");
    fixture_set(&fixture, "protocol", "both");
}

static void set_tcp(void)
{
    fixture_target(&fixture, "127.0.0.1", tls_server.port);
}

static void set_handshake(void)
{
    set_tls();
    fixture_set(&fixture, "server_name", NAME);
}

static void set_https(void)
{
    set_tls();
    set_url("url");
}

static void set_http(void)
{
    fixture_set(&fixture, "url", http_server.url);
    fixture_set(&fixture, "body_regex", "(a|b)*a(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)c");
}

static void set_token(void)
{
    set_tls();
    set_url("token_url");
    set_url("protected_url");
    fixture_set(&fixture, "client_id", "probe");
    fixture_set(&fixture, "secret_file", path_of("secret"));
}

static void set_exec(void)
{
    fixture_set(&fixture, "command", "/bin/true");
}

static void set_address(void)
{
    fixture_set(&fixture, "addresses", "127.0.0.1");
}

static void set_nothing(void)
{
}

static const struct trial {
    const char *type;
    void (*set)(void);
    const char *code; // of the verdict, so that it is known how far it came; NULL: any
} trials[] = {
    {"dns", set_dns, "refused"}, {"tcp", set_tcp, "ok"},         {"tls", set_handshake, "ok"},
    {"http", set_https, "ok"},   {"http", set_http, "body"},     {"token", set_token, "ok"},
    {"exec", set_exec, "ok"},    {"address", set_address, "ok"}, {"clock", set_nothing, NULL},
};

static void on_begin(uv_timer_t *timer)
{
    (void)timer;
    watched = true;
}

// Runs the probe that was set up twice.
static const struct verdict *run_watched(void)
{
    uv_timer_t first; // of the loop, before any check
    touched[0] = '\0';
    uv_timer_init(&fixture.loop, &first);
    uv_timer_start(&first, on_begin, 0, 0);
    const struct verdict *verdict = fixture_run(&fixture, 2);
    uv_close((uv_handle_t *)&first, NULL);
    uv_run(&fixture.loop, UV_RUN_NOWAIT);
    watched = false;
    return verdict;
}

static void assert_untouched(const char *type)
{
    if (touched[0]) {
        fail_msg("a %s probe calls %s on the loop", type, touched);
    }
}

static void run(const struct trial *trial)
{
    fixture_open(&fixture, trial->type);
    http_server_open(&http_server, &fixture.loop, "127.0.0.1");
    http_server.answer = answer_hostile;
    tls_server_begin(&tls_server, &leaf, &root, TLS1_3_VERSION, 2);
    trial->set();
    const struct verdict *verdict = run_watched();
    if (trial->code != NULL) {
        assert_verdict(verdict, verdict->kind, trial->code, "");
    }
    http_server_close(&http_server);
    fixture_close(&fixture);
    tls_server_end(&tls_server);
    assert_untouched(trial->type);
}

// Nobody has used OpenSSL yet, which has a configuration of its own.
TEST(the_first_check_over_tls_finds_the_library_ready)
{
    fixture_open(&fixture, "tls");
    fixture_target(&fixture, "127.0.0.1", free_port());
    assert_verdict(run_watched(), VERDICT_FAIL, "refused", "");
    fixture_close(&fixture);
    assert_untouched("tls");
}

TEST(no_type_of_probe_touches_a_file_on_the_loop_or_does_what_may_take_long)
{
    make_files();
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
        run(&trials[i]);
    }
    assert_true(apart > 0);
}

TEST(every_type_of_probe_is_tried)
{
    for (size_t i = 0; probe_types[i] != NULL; i++) {
        bool tried = false;
        for (size_t j = 0; j < sizeof trials / sizeof *trials; j++) {
            tried = tried || strcmp(trials[j].type, probe_types[i]->name) == 0;
        }
        if (!tried) {
            fail_msg("%s is not", probe_types[i]->name);
        }
    }
}
