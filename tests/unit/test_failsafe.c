// The fail-safe believes what BIRD shows, not what it acknowledges. BIRD is a thread with a script.
#include "controller/daemon/attended.h"
#include "controller/daemon/failsafe.h"
#include "controller/daemon/worked.h"

#include "base/file.h"
#include "controller/daemon/birdconf_file.h"

#include "tests/test.h"
#include "tests/unit/guard.h"
#include "tests/unit/small_config.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DOWN                                                                                       \
    "2002-Name       Proto      Table      State  Since         Info\n"                            \
    "1002-popgate_dns_v4 Static     popgate4   down   18:18:43.852  \n"                            \
    " upstream   BGP        ---        up     18:18:43.852  Established   \n"                      \
    "0000 \n"
#define UP                                                                                         \
    "2002-Name       Proto      Table      State  Since         Info\n"                            \
    "1002-popgate_dns_v4 Static     popgate4   up     18:18:43.852  \n"                            \
    "0000 \n"
#define FLUSHING                                                                                   \
    "2002-Name       Proto      Table      State  Since         Info\n"                            \
    "1002-popgate_dns_v4 Static     popgate4   flush  18:18:43.852  \n"                            \
    "0000 \n"
#define NO_ROWS                                                                                    \
    "2002-Name       Proto      Table      State  Since         Info\n"                            \
    "1002-upstream   BGP        ---        up     18:18:43.852  Established   \n"                  \
    "0000 \n"
#define DISABLED "0009-popgate_dns_v4: disabled\n0000 \n"
#define NOTHING  "8003 No protocols match\n"

#define LOOKS_MAX 8

static struct {
    char directory[64], config[96], said[8192];
    int listener;
    const char *disable;          // its answer
    const char *looks[LOOKS_MAX]; // answers to `show protocols`; the last one goes on
    unsigned disables, looked;
    pthread_t thread;
} bird;

static void answer(int client, const char *command)
{
    const char *text = bird.disable;
    if (strncmp(command, "show protocols", 14) == 0) {
        text = bird.looks[bird.looked];
        bird.looked += bird.looked + 1 < LOOKS_MAX && bird.looks[bird.looked + 1] != NULL;
    } else {
        bird.disables++;
    }
    (void)!write(client, text, strlen(text));
}

static void serve(int client)
{
    static const char greeting[] = "0001 BIRD 2.0.12 ready.\n";
    char command[256];
    FILE *commands = fdopen(client, "r");
    (void)!write(client, greeting, sizeof greeting - 1);
    while (fgets(command, sizeof command, commands) != NULL) {
        answer(client, command);
    }
    fclose(commands);
}

static void *run_bird(void *arg)
{
    int client;
    (void)arg;
    while ((client = accept4(bird.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        serve(client);
    }
    return NULL;
}

static void write_config_to(const char *path, const char *socket_key)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file,
            "[pop]\nid = fra1\nruntime_dir = %s\nstate_dir = %s\n[bird]\nlocal_as = 64512\n"
            "%s = %s/bird.ctl\n" PROBE("p") "[service dns]\nprefixes = 192.0.2.1/32\n"
                                            "require = p\n",
            bird.directory, bird.directory, socket_key, bird.directory);
    assert_int_equal(fclose(file), 0);
}

static void write_config(void)
{
    write_config_to(bird.config, "socket");
}

static int start(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    guard_begin();
    memset(&bird, 0, sizeof bird);
    strcpy(bird.directory, "/tmp/test_failsafe.XXXXXX");
    assert_non_null(mkdtemp(bird.directory));
    snprintf(bird.config, sizeof bird.config, "%s/popgate.conf", bird.directory);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/bird.ctl", bird.directory);
    write_config();
    bird.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bird.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(bird.listener, 8), 0);
    assert_int_equal(pthread_create(&bird.thread, NULL, run_bird, NULL), 0);
    return 0;
}

static int stop(void **state)
{
    static const char *const names[] = {"popgate.conf", "bird.ctl", "popgate.sock", BIRDCONF_FILE,
                                        "log",          "running",  "restarts",     WORKED_FILE};
    (void)state;
    shutdown(bird.listener, SHUT_RDWR);
    pthread_join(bird.thread, NULL);
    close(bird.listener);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", bird.directory, names[i]);
        (void)unlink(path);
    }
    return rmdir(bird.directory);
}

TEST_FIXTURE(start, stop);

// What it logs is in bird.said.
static int logged(int (*withdraw)(const char *config, unsigned within_ms), unsigned within_ms)
{
    char path[128];
    int before = dup(STDERR_FILENO);
    snprintf(path, sizeof path, "%s/log", bird.directory);
    assert_non_null(freopen(path, "we", stderr));
    int status = withdraw(bird.config, within_ms);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    FILE *log = fopen(path, "re");
    bird.said[fread(bird.said, 1, sizeof bird.said - 1, log)] = '\0';
    fclose(log);
    return status;
}

static int withdraw_within(unsigned within_ms)
{
    return logged(failsafe_withdraw_within, within_ms);
}

TEST(what_bird_shows_down_is_withdrawn)
{
    bird.disable = DISABLED;
    bird.looks[0] = DOWN;
    assert_int_equal(withdraw_within(60000), 0);
    assert_non_null(strstr(bird.said, "everything is withdrawn"));
}

// As popgated itself does, which is started with what worked last then.
TEST(with_a_broken_file_what_worked_last_tells_where_bird_is)
{
    char worked[128];
    snprintf(worked, sizeof worked, "%s/" WORKED_FILE, bird.directory);
    write_config_to(worked, "socket");
    write_config_to(bird.config, "sockte");
    bird.disable = DISABLED;
    bird.looks[0] = DOWN;
    assert_int_equal(withdraw_within(60000), 0);
    assert_non_null(strstr(bird.said, "sockte"));
    assert_non_null(strstr(bird.said, "everything is withdrawn"));
}

TEST(what_is_acknowledged_but_not_yet_gone_is_looked_at_again)
{
    bird.disable = DISABLED;
    bird.looks[0] = FLUSHING;
    bird.looks[1] = FLUSHING;
    bird.looks[2] = DOWN;
    assert_int_equal(withdraw_within(60000), 0);
    assert_true(bird.disables >= 3);
}

TEST(what_stays_up_whatever_bird_acknowledges_is_not_called_withdrawn)
{
    bird.disable = DISABLED;
    bird.looks[0] = UP;
    assert_int_equal(withdraw_within(1000), 1);
    assert_non_null(strstr(bird.said, "popgate_dns_v4 is still not down"));
    assert_null(strstr(bird.said, "everything is withdrawn"));
    assert_true(bird.disables > 1);
}

TEST(what_comes_back_before_the_file_says_off_is_switched_off_again)
{
    bird.disable = DISABLED;
    bird.looks[0] = DOWN;
    bird.looks[1] = UP;
    bird.looks[2] = DOWN;
    assert_int_equal(withdraw_within(60000), 0);
    assert_int_equal(bird.looked, 2);
}

TEST(a_look_that_lacks_what_was_acknowledged_shows_nothing)
{
    bird.disable = DISABLED;
    bird.looks[0] = NO_ROWS;
    assert_int_equal(withdraw_within(1000), 1);
    assert_non_null(strstr(bird.said, "tells nothing of our protocols"));
}

TEST(a_bird_without_protocols_of_ours_has_nothing_to_withdraw)
{
    bird.disable = NOTHING;
    bird.looks[0] = NO_ROWS;
    assert_int_equal(withdraw_within(60000), 0);
}

static int run_popgated(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/popgate.sock", bird.directory);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    return listener;
}

// Neighbours would see each try.
TEST(a_popgated_that_runs_is_not_fought_with)
{
    int popgated = run_popgated();
    bird.disable = DISABLED;
    bird.looks[0] = FLUSHING;
    bird.looks[1] = UP;
    assert_int_equal(withdraw_within(60000), 1);
    assert_in_range(bird.disables, 1, 2);
    assert_non_null(strstr(bird.said, "popgated runs"));
    close(popgated);
}

TEST(a_refusal_is_said_at_once)
{
    bird.disable = "8007 Access denied\n";
    bird.looks[0] = DOWN;
    assert_int_equal(withdraw_within(60000), 1);
    assert_int_equal(bird.disables, 1);
    assert_non_null(strstr(bird.said, "8007 Access denied"));
}

// ---- Where popgated ended, and is not to be started again

static int unattended(const char *config, unsigned within_ms)
{
    return failsafe_unattended_within(config, 100, within_ms);
}

static void popgated_began(void)
{
    char error[ERROR_MAX];
    assert_true(attended_begin(bird.directory, error));
    bird.disable = DISABLED;
    bird.looks[0] = DOWN;
}

TEST(what_a_popgated_that_ended_without_stopping_left_is_withdrawn)
{
    popgated_began();
    assert_int_equal(logged(unattended, 60000), 0);
    assert_int_equal(bird.disables, 2);
    assert_non_null(strstr(bird.said, "nobody starts it again"));
}

// Nobody can tell: too little traffic is better than what nobody watches over.
TEST(where_it_cannot_be_seen_whether_it_stopped_it_did_not)
{
    char path[128];
    popgated_began();
    attended_end(bird.directory);
    snprintf(path, sizeof path, "%s/running", bird.directory);
    assert_int_equal(symlink("running", path), 0); // ELOOP, for root as well
    assert_int_equal(logged(unattended, 60000), 0);
    assert_int_equal(bird.disables, 2);
    assert_int_equal(unlink(path), 0);
}

TEST(what_a_popgated_that_stopped_left_is_left)
{
    popgated_began();
    attended_end(bird.directory);
    assert_int_equal(logged(unattended, 60000), 0);
    assert_int_equal(bird.disables, 0);
    assert_string_equal(bird.said, "");
}

TEST(what_the_next_popgated_has_taken_over_is_left)
{
    int popgated = run_popgated();
    popgated_began();
    assert_int_equal(logged(unattended, 60000), 0);
    assert_int_equal(bird.disables, 0);
    close(popgated);
}

// ---- After each end

static const char *result, *exit_status;

static int ended(const char *config, unsigned within_ms)
{
    (void)within_ms;
    setenv("SERVICE_RESULT", result, 1);
    setenv("EXIT_STATUS", exit_status, 1);
    int status = failsafe_ended(config);
    unsetenv("SERVICE_RESULT");
    unsetenv("EXIT_STATUS");
    return status;
}

static void popgated_ended(unsigned times)
{
    result = "exit-code";
    exit_status = "1";
    bird.disable = DISABLED;
    bird.looks[0] = DOWN;
    for (unsigned i = 0; i < times; i++) {
        assert_int_equal(logged(ended, 0), 0);
    }
}

TEST(nine_ends_are_restarts_at_once_and_the_tenth_withdraws)
{
    popgated_ended(9);
    assert_int_equal(bird.disables, 0);
    assert_int_equal(logged(ended, 0), 0);
    assert_int_equal(bird.disables, 2);
    assert_non_null(strstr(bird.said, "again and again"));
    assert_int_equal(logged(ended, 0), 0);
    assert_int_equal(bird.disables, 4);
}

TEST(a_planned_restart_is_no_such_end)
{
    popgated_ended(9);
    exit_status = "75";
    assert_int_equal(logged(ended, 0), 0);
    assert_int_equal(bird.disables, 0);
}

// It was slow once, has run well for long, and is to be there again at once.
TEST(a_planned_restart_does_not_wait_for_ends_before)
{
    char path[128];
    popgated_ended(10);
    snprintf(path, sizeof path, "%s/restarts", bird.directory);
    assert_int_equal(access(path, F_OK), 0);
    exit_status = "75";
    assert_int_equal(logged(ended, 0), 0);
    assert_int_not_equal(access(path, F_OK), 0);
}

TEST(a_stop_forgets_the_ends_before)
{
    popgated_ended(9);
    result = "success";
    exit_status = "0";
    assert_int_equal(logged(ended, 0), 0);
    popgated_ended(9);
    assert_int_equal(bird.disables, 0);
}

// Started by hand, while the service fails for it.
TEST(ends_beside_a_popgated_that_runs_withdraw_nothing)
{
    int popgated = run_popgated();
    popgated_ended(11);
    assert_int_equal(bird.disables, 0);
    close(popgated);
}
