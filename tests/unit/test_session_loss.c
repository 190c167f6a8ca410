// The session with BIRD when it is lost, or never was what it should be.
#include "tests/unit/session_fixture.h"

TEST_FIXTURE(make_world, end_world);

TEST_GROUP(ignore_broken_pipes, NULL);

// Loss.

TEST(loss_ends_every_command_once_and_none_can_be_sent)
{
    struct world *world = *state;
    bool ended[300] = {false};
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 300; token++) {
        send_numbered(world, token, token % 3 == 0);
    }
    fake_say(world, "0000 \n0000 \n00");
    run_until(world, world->end_count == 2);
    world->greeting = NULL;
    fake_hang_up(world);
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "BIRD closed the connection");
    assert_int_equal(world->end_count, 300);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(world->ends[i].end, i < 2 ? BIRD_END_REPLY : BIRD_END_LOST);
        assert_false(ended[world->ends[i].token]);
        ended[world->ends[i].token] = true;
    }
    assert_int_equal(world->send_when_lost, UV_ENOTCONN);
    assert_int_equal(bird_session_outstanding(world->session), 0);
    assert_int_equal(bird_session_send(world->session, "show status", 1, false), UV_ENOTCONN);
}

TEST(a_write_into_a_closed_socket_is_a_loss_told_later)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    fake_hang_up(world);
    send_numbered(world, 1, true);
    send_numbered(world, 2, true);
    assert_int_equal(world->end_count, 0);
    assert_int_equal(world->link_count, 1);
    run_until(world, is_down_with_reason(world));
    assert_int_equal(world->end_count, 2);
    run_until(world, is_up(world));
    assert_int_equal(world->end_count, 2);
    send_numbered(world, 3, true);
    assert_heard(world, "disable \"popgate_u3_v4\"");
}

TEST(a_line_cut_off_by_a_loss_does_not_leak_into_the_next_connection)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    fake_say(world, "0009-popgate");
    fake_hang_up(world);
    run_until(world, is_down_with_reason(world));
    run_until(world, is_up(world));
    assert_int_equal(world->accepted, 2);
}

TEST(a_greeting_resets_the_back_off)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.backoff_max_ms = 1U << 30; // not reset, it would outgrow the guard within the rounds
    begin_and_greet(world, options);
    for (unsigned round = 0; round < 20; round++) {
        fake_hang_up(world);
        run_until(world, is_down_with_reason(world));
        run_until(world, is_up(world));
    }
}

TEST(it_reconnects_when_the_socket_appears)
{
    struct world *world = *state;
    begin(world, patient(world));
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "no such file or directory; is BIRD running, and is [bird] socket");
    assert_reason_has(world, world->path);
    for (unsigned i = 0; i < 20; i++) {
        turn(world);
    }
    assert_int_equal(world->link_count, 1); // the same reason is told once
    fake_start(world);
    run_until(world, is_up(world));
}

TEST(a_stale_socket_says_that_bird_is_not_running)
{
    struct world *world = *state;
    close(bind_socket(world));
    begin(world, patient(world));
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "BIRD isn't running");
    unlink(world->path);
    run_until(world, strstr(last_link(world)->reason, "no such file"));
    assert_int_equal(world->link_count, 2); // another reason is told
}

TEST(a_full_backlog_says_that_bird_accepts_no_connection)
{
    struct world *world = *state;
    struct sockaddr_un address = address_of(world);
    int listener = bind_socket(world);
    int waiting[2];
    assert_int_equal(listen(listener, 0), 0);
    for (size_t i = 0; i < 2; i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(waiting[i], (const struct sockaddr *)&address, sizeof address);
    }
    begin(world, patient(world));
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "is it stopped or stuck?");
    for (size_t i = 0; i < 2; i++) {
        close(waiting[i]);
    }
    close(listener);
}

TEST(an_overlong_path_is_refused_not_shortened)
{
    struct world *world = *state;
    char path[200];
    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    struct bird_session_options options = patient(world);
    options.socket_path = path;
    begin(world, options);
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "longer than");
}

TEST(running_out_of_descriptors_is_said_to_be_our_own_trouble)
{
    struct world *world = *state;
    struct rlimit before;
    fake_start(world);
    begin(world, patient(world));
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (unsigned i = 0; i < 1000 && !is_down_with_reason(world); i++) {
        uv_run(&world->loop, UV_RUN_ONCE);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_reason_has(world, "out of file descriptors (trouble of our own");
    run_until(world, is_up(world));
}

// This program's comes before the C library's: whoever asks a directory service may wait for ever.
int getgrgid_r(gid_t group, struct group *entry, char *room, size_t size, struct group **found)
{
    (void)group;
    (void)entry;
    (void)room;
    (void)size;
    *found = NULL;
    return EIO;
}

// In a child, since there is no way back from being nobody.
static int reason_as_nobody(struct world *world, const char *words)
{
    if (uv_loop_fork(&world->loop) != 0 || setgroups(0, NULL) != 0 || setgid(65534) != 0 ||
        setuid(65534) != 0) {
        return 2;
    }
    begin(world, patient(world));
    for (unsigned i = 0; i < 1000 && !is_down_with_reason(world); i++) {
        uv_run(&world->loop, UV_RUN_ONCE);
    }
    return strstr(last_link(world)->reason, words) != NULL ? 0 : 1;
}

static void assert_nobody_is_told(struct world *world, const char *words)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(reason_as_nobody(world, words));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

TEST(lack_of_permission_names_the_group_or_the_directory)
{
    struct world *world = *state;
    if (geteuid() != 0) {
        skip();
    }
    fake_start(world);
    assert_int_equal(chmod(world->path, 0660), 0);
    assert_int_equal(chmod(world->directory, 0755), 0);
    assert_nobody_is_told(world, "must be in the socket's group, root");
    assert_int_equal(chmod(world->directory, 0700), 0);
    assert_nobody_is_told(world, "may not enter the socket's directory");
}

TEST(a_garbled_connection_is_told_dropped_and_remade)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    fake_say(world, "HTTP/1.1 400 Bad Request\n0000 \n");
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "\"HTTP/1.1 400 Bad Request\" isn't BIRD's control protocol");
    assert_int_equal(world->end_count, 1);
    assert_int_equal(world->ends[0].end, BIRD_END_LOST);
    run_until(world, is_up(world));
    assert_int_equal(world->accepted, 2);
}

TEST(garbage_is_quoted_so_that_a_log_can_bear_it)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    fake_say(world, "\x1b[2J\xff \xc3\xa9\n");
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "\"?[2J? ??\" isn't BIRD's control protocol");
}

TEST(a_reply_that_nobody_asked_for_means_out_of_step)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    fake_say(world, "0000 surprise\n");
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "\"surprise\" answers no command");
}

TEST(a_greeting_that_is_not_birds_is_refused)
{
    struct world *world = *state;
    world->greeting = "0001 FRR 10 ready.\n";
    fake_start(world);
    begin(world, patient(world));
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "\"FRR 10 ready.\" isn't a greeting of BIRD's");
}
