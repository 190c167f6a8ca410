// The session with BIRD while it is there: commands, echo, silence, its end; and a real one.
#include "tests/unit/session_fixture.h"

#define WINDOW_MAX 960
#define LANE_MAX   4096
#define GREETING_3 "0001 BIRD 3.3.2 ready.\n"

// The fake BIRD.

// The world.

TEST_FIXTURE(make_world, end_world);

TEST_GROUP(ignore_broken_pipes, NULL);

// Talking.

TEST(the_greeting_brings_the_link_up_and_tells_the_version)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    assert_int_equal(world->link_count, 1);
    assert_int_equal(last_link(world)->version.major, 2);
    assert_int_equal(last_link(world)->version.patch, 12);
    assert_string_equal(last_link(world)->reason, "");
}

TEST(a_command_is_in_the_socket_when_send_returns)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    assert_int_equal(bird_session_send(world->session, "disable \"popgate_*\"", 1, true), 0);
    assert_int_equal(unread(world), strlen("disable \"popgate_*\"\n"));
    assert_int_equal(bird_session_outstanding(world->session), 1);
    assert_heard(world, "disable \"popgate_*\"");
}

TEST(replies_end_their_commands_in_order)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    for (uint64_t token = 100; token < 103; token++) {
        send_numbered(world, token, false);
    }
    fake_say(world, "0009-first\n0000 one\n8003 No protocols match\n");
    run_until(world, world->end_count == 2);
    fake_say(world, "90");
    turn(world);
    fake_say(world, "01 syntax error\n");
    run_until(world, world->end_count == 3);
    static const unsigned codes[] = {0, 8003, 9001};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(world->ends[i].token, 100 + i);
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
        assert_int_equal(world->ends[i].code, codes[i]);
    }
    assert_string_equal(world->ends[1].text, "No protocols match");
    assert_int_equal(world->line_count, 4);
    assert_int_equal(bird_session_outstanding(world->session), 0);
}

static void answer_one_by_one(struct world *world, size_t count)
{
    char command[BIRD_COMMAND_MAX * 2];
    for (size_t heard = 0; heard < count; heard++) {
        run_until(world, unread(world) > 0);
        assert_in_range(unread(world), 1, WINDOW_MAX);
        assert_true(fake_hears(world, command, sizeof command));
        fake_answer(world, command);
        run_until(world, world->end_count == heard + 1);
    }
}

TEST(the_window_is_never_exceeded_however_slowly_bird_reads)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 500; token++) {
        send_numbered(world, token, token % 10 == 9);
        assert_in_range(unread(world), 1, WINDOW_MAX);
    }
    assert_int_equal(bird_session_outstanding(world->session), 500);
    answer_one_by_one(world, 500);
    bool ended[500] = {false};
    for (size_t i = 0; i < 500; i++) {
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
        assert_false(ended[world->ends[i].token]);
        ended[world->ends[i].token] = true;
    }
}

// Whatever BIRD has answered of it: before 2.0.12 it begins its buffer anew when all is answered.
TEST(an_old_bird_is_asked_no_more_before_it_has_answered_all)
{
    struct world *world = *state;
    char command[BIRD_COMMAND_MAX * 2];
    world->greeting = "0001 BIRD 2.0.11 ready.\n";
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 100; token++) {
        send_numbered(world, token, token % 10 == 9);
    }
    for (size_t heard = 0, answered = 0, burst = 0; answered < 100;) {
        run_until(world, heard > answered || unread(world) > 0);
        while (fake_hears(world, command, sizeof command)) {
            heard++;
            burst += strlen(command) + 1;
        }
        assert_in_range(burst, 1, WINDOW_MAX / 2);
        fake_say(world, "0000 \n");
        answered++;
        run_until(world, world->end_count == answered);
        burst = answered == heard ? 0 : burst;
    }
}

// The kernel counts each small write as some hundreds of bytes.
TEST(a_socket_full_of_tiny_commands_is_written_on_when_it_has_room)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < WINDOW_MAX; token++) {
        assert_int_equal(bird_session_send(world->session, "x", token, true), 0);
        assert_in_range(unread(world), 1, WINDOW_MAX);
    }
    answer_one_by_one(world, WINDOW_MAX);
    for (size_t i = 0; i < WINDOW_MAX; i++) {
        assert_int_equal(world->ends[i].token, i);
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
    }
}

TEST(an_urgent_command_overtakes_those_not_yet_written_and_finds_room)
{
    struct world *world = *state;
    char command[BIRD_COMMAND_MAX];
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 100; token++) {
        send_numbered(world, token, false);
    }
    size_t full = unread(world);
    send_numbered(world, 1000, true);
    assert_true(unread(world) > full);
    size_t before = 0;
    while (fake_hears(world, command, sizeof command) &&
           strstr(command, "popgate_u1000_v4") == NULL) {
        before++;
    }
    assert_string_equal(command, "disable \"popgate_u1000_v4\"");
    assert_in_range(before, 1, 50);
}

TEST(urgent_commands_keep_their_order_among_themselves)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    world->answers = true;
    for (uint64_t token = 0; token < 200; token++) {
        send_numbered(world, token, true);
    }
    run_until(world, world->end_count == 200);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(world->ends[i].token, i);
    }
}

TEST(a_command_may_be_sent_from_the_event_of_another)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    world->answers = true;
    world->follow_up = 50;
    send_numbered(world, 1000, false);
    run_until(world, world->end_count == 51);
    assert_int_equal(world->ends[50].token, 1);
}

TEST(what_is_no_command_is_refused)
{
    struct world *world = *state;
    char command[BIRD_COMMAND_MAX + 1];
    fake_start(world);
    begin(world, patient(world));
    assert_int_equal(bird_session_send(world->session, "show status", 1, false), UV_ENOTCONN);
    run_until(world, is_up(world));
    memset(command, 'x', sizeof command);
    command[BIRD_COMMAND_MAX] = '\0';
    assert_int_equal(bird_session_send(world->session, command, 1, false), UV_EINVAL);
    assert_int_equal(bird_session_send(world->session, "", 1, false), UV_EINVAL);
    assert_int_equal(bird_session_send(world->session, "a\nb", 1, true), UV_EINVAL);
    assert_int_equal(bird_session_send(world->session, "a\r", 1, true), UV_EINVAL);
    assert_int_equal(bird_session_outstanding(world->session), 0);
    command[BIRD_COMMAND_MAX - 1] = '\0';
    assert_int_equal(bird_session_send(world->session, command, 1, false), 0);
    assert_heard(world, command);
}

TEST(a_full_lane_refuses_and_leaves_the_urgent_one_open)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    uint64_t taken = 0;
    while (bird_session_send(world->session, "show status", taken, false) == 0) {
        taken++;
        assert_true(taken <= LANE_MAX + WINDOW_MAX);
    }
    assert_true(taken >= LANE_MAX);
    assert_int_equal(bird_session_send(world->session, "show status", 0, false), UV_ENOBUFS);
    assert_int_equal(bird_session_send(world->session, "disable \"popgate_*\"", taken, true), 0);
    world->answers = true;
    run_until(world, world->end_count == taken + 1);
    assert_int_equal(world->link_count, 1);
}

// Echo.

TEST(echo_is_asked_of_bird_2_first_and_by_itself)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.echo = true;
    begin_and_greet(world, options);
    assert_int_equal(bird_session_outstanding(world->session), 0);
    send_numbered(world, 7, true);
    assert_heard(world, "echo all 4096");
    assert_heard(world, "disable \"popgate_u7_v4\"");
    fake_say(world, "0000 \n+Disabling protocol x\n0009-x\n+Reconfiguring\n y: disabled\n"
                    "<3 messages lost>\n0000 \n");
    run_until(world, world->end_count == 1);
    assert_int_equal(world->ends[0].token, 7);
    assert_int_equal(world->line_count, 3);
    assert_int_equal(world->echo_count, 3);
    assert_string_equal(world->last_echo, "<3 messages lost>");
}

TEST(echo_is_not_asked_of_bird_3)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.echo = true;
    world->greeting = GREETING_3;
    begin_and_greet(world, options);
    assert_int_equal(unread(world), 0);
}

TEST(echo_that_is_refused_changes_nothing)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.echo = true;
    begin_and_greet(world, options);
    send_numbered(world, 7, true);
    fake_say(world, "8007 Access denied\n0000 \n");
    run_until(world, world->end_count == 1);
    assert_int_equal(world->ends[0].code, 0);
    assert_int_equal(world->line_count, 1);
    assert_int_equal(world->link_count, 1);
}

// Silence.

TEST(a_missed_deadline_is_silence_and_the_answer_ends_it)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    send_numbered(world, 1, true);
    send_numbered(world, 2, true);
    run_until(world, is_silent(world));
    assert_reason_has(world, "has said nothing for");
    send_numbered(world, 3, true);
    assert_int_equal(world->end_count, 0);
    world->answers = true;
    run_until(world, world->end_count == 3);
    assert_true(is_up(world));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(world->ends[i].token, i + 1);
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
    }
    assert_int_equal(world->accepted, 1);
}

TEST(silence_is_noticed_again_after_an_answer)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    send_numbered(world, 1, true);
    run_until(world, is_silent(world));
    fake_say(world, "0000 \n");
    run_until(world, is_up(world));
    send_numbered(world, 2, true);
    run_until(world, is_silent(world)); // give_up_ms is beyond the guard
}

TEST(a_stopped_bird_that_does_not_greet_is_silent_and_gets_the_commands_when_it_wakes)
{
    struct world *world = *state;
    world->greeting = NULL;
    fake_start(world);
    begin(world, impatient(world));
    run_until(world, is_silent(world));
    assert_int_equal(world->link_count, 1);
    send_numbered(world, 5, true);
    run_until(world, world->client >= 0);
    assert_int_equal(unread(world), 0);
    fake_say(world, GREETING_2);
    run_until(world, is_up(world));
    assert_heard(world, "disable \"popgate_u5_v4\"");
}

TEST(a_bird_that_stays_silent_is_given_up_and_tried_anew)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    send_numbered(world, 1, true);
    run_until(world, is_silent(world));
    assert_int_equal(world->end_count, 0);
    run_until(world, world->end_count == 1);
    assert_int_equal(world->ends[0].end, BIRD_END_LOST);
    assert_true(is_down_with_reason(world));
    assert_reason_has(world, "dropped the connection");
    run_until(world, is_up(world));
    assert_true(world->accepted >= 2);
    assert_int_equal(world->end_count, 1);
}

TEST(being_held_up_ourselves_is_not_silence_of_bird)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    size_t links = world->link_count;
    send_numbered(world, 1, true);
    fake_say(world, "0000 \n");
    own_clock_pass_ns(60 * NS_PER_MS); // three deadlines, with the answer in the socket
    run_until(world, world->end_count == 1);
    assert_int_equal(world->link_count, links);
}

// Closing.

TEST(it_may_be_closed_in_any_event_and_none_follows)
{
    struct world *world = *state;
    for (enum close_at at = AT_UP; at <= AT_LOST; at++) {
        struct bird_session_options options = at == AT_SILENT ? impatient(world) : patient(world);
        world->close_at = at;
        world->closed = false;
        world->link_count = 0;
        world->listener < 0 ? fake_start(world) : (void)0;
        begin(world, options);
        run_until(world, at == AT_UP ? world->closed : is_up(world));
        if (at != AT_UP) {
            send_numbered(world, 1, true);
            send_numbered(world, 2, true);
            send_numbered(world, 3, false);
        }
        if (at == AT_LINE || at == AT_LAST_LINE || at == AT_END || at == AT_ECHO) {
            fake_say(world, "+echo\n0009-line\n0000 \n0000 \n+echo\n0000 \n");
        }
        if (at == AT_DOWN || at == AT_LOST) {
            fake_hang_up(world);
        }
        run_until(world, world->closed);
        if (world->client >= 0) {
            fake_hang_up(world);
        }
    }
    assert_int_equal(world->events_after_close, 0);
}

TEST(it_may_be_closed_when_silence_ends)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    send_numbered(world, 1, true);
    run_until(world, is_silent(world));
    world->close_at = AT_UP;
    fake_say(world, "0009-line\n0000 \n");
    run_until(world, world->closed);
    assert_int_equal(world->line_count, 0);
}

TEST(it_may_be_closed_at_once_or_while_resting)
{
    struct world *world = *state;
    begin(world, patient(world));
    bird_session_close(world->session, 0, note_closed, world);
    world->session = NULL;
    run_until(world, world->closed);

    struct bird_session_options options = patient(world);
    options.backoff_min_ms = options.backoff_max_ms = 60000;
    world->closed = false;
    begin(world, options);
    run_until(world, is_down_with_reason(world));
    turn(world);
    bird_session_close(world->session, 0, note_closed, world);
    world->session = NULL;
    run_until(world, world->closed);
}

// Replies without end.

#define ROW "1002-popgate_dns_v4 Static     popgate4   up     00:42:01.801  \n"

// Goes on with rows where the former call stopped, as far as the socket takes them.
static void fake_pours_rows(struct world *world, size_t *poured, size_t most)
{
    static char rows[1000 * (sizeof ROW - 1) + 1];
    for (size_t i = 0; i < 1000; i++) {
        memcpy(rows + i * (sizeof ROW - 1), ROW, sizeof ROW);
    }
    ssize_t written = 1;
    while (world->client >= 0 && written > 0 && *poured < most) {
        size_t at = *poured % (sizeof rows - 1);
        size_t left = sizeof rows - 1 - at;
        written = write(world->client, rows + at, most - *poured < left ? most - *poured : left);
        *poured += written > 0 ? (size_t)written : 0;
    }
}

TEST(an_answer_without_end_is_silence_and_no_more_of_it_is_read)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.deadline_ms = 20;
    options.give_up_ms = 100;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    size_t poured = 0;
    while (!is_silent(world)) {
        fake_pours_rows(world, &poured, SIZE_MAX);
        turn(world);
    }
    assert_reason_has(world, "an answer that comes to no end, 1677");
    size_t lines = world->line_count;
    send_numbered(world, 2, true);
    fake_pours_rows(world, &poured, SIZE_MAX);
    int unread_then = unread_by_session(world->client);
    assert_true(unread_then > 0);
    int former = keep_former(world);
    run_until(world, world->end_count == 2);
    assert_int_equal(world->ends[0].end, BIRD_END_LOST);
    assert_int_equal(world->ends[1].end, BIRD_END_LOST);
    assert_int_equal(world->line_count, lines);
    run_until(world, is_up(world));
    assert_int_equal(state_of(former) & (POLLRDHUP | POLLHUP), POLLRDHUP);
    run_until(world, unread_by_session(former) == 0); // to be forgotten, so that BIRD may end it
    assert_int_equal(world->line_count, lines);
    close(former);
}

static void trickle(struct world *world)
{
    own_clock_pass_ns(NS_PER_MS);
    fake_say(world, "1002-and on\n");
    turn(world);
}

TEST(an_answer_that_trickles_on_is_without_end_too)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.reply_ms = 20;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    while (!is_silent(world)) {
        trickle(world);
    }
    assert_reason_has(world, "an answer that comes to no end");
    assert_int_equal(world->end_count, 0);
}

TEST(a_long_answer_is_read_to_its_end)
{
    struct world *world = *state;
    size_t poured = 0;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, false);
    while (poured < 100000 * (sizeof ROW - 1)) {
        fake_pours_rows(world, &poured, 100000 * (sizeof ROW - 1));
        turn(world);
    }
    run_until(world, unread_by_session(world->client) == 0);
    fake_say(world, "0000 \n");
    run_until(world, world->end_count == 1);
    assert_int_equal(world->line_count, 100001);
    assert_int_equal(world->link_count, 1);
}

TEST(what_held_us_or_bird_up_makes_no_answer_longer)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.reply_ms = 3 * options.deadline_ms;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    fake_say(world, "1002-first\n");
    run_until(world, world->line_count == 1);
    own_clock_pass_ns(30 * NS_PER_S);
    fake_say(world, "1002-second\n");
    run_until(world, world->line_count == 2);
    own_clock_pass_ns(30 * NS_PER_S);
    fake_say(world, "1002-third\n0000 \n");
    run_until(world, world->end_count == 1);
    assert_int_equal(world->ends[0].end, BIRD_END_REPLY);
}

TEST(the_end_of_bird_is_noticed_while_nothing_is_read)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.deadline_ms = 50;
    options.reply_ms = 20;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    while (!is_silent(world)) {
        trickle(world);
    }
    fake_hang_up(world);
    run_until(world, is_down_with_reason(world)); // give_up_ms is beyond the guard
    assert_reason_has(world, "BIRD closed the connection");
    run_until(world, is_up(world));
}

TEST(it_may_be_closed_under_an_answer_without_end)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.reply_ms = 20;
    world->close_at = AT_SILENT;
    world->close_within_ms = 60000;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    while (world->session != NULL) {
        trickle(world);
    }
    run_until(world, world->client < 0); // the fake ends when it hears that we do
    run_until(world, world->closed);
}

// A real BIRD, alone in a network of its own if we may make one.

static const char *bird_program(void)
{
    const char *program = getenv("BIRD");
    return program != NULL ? program : "/usr/sbin/bird";
}

static pid_t start_bird(const struct world *world)
{
    char conf[128];
    snprintf(conf, sizeof conf, "%s/bird.conf", world->directory);
    FILE *file = fopen(conf, "w");
    assert_non_null(file);
    fprintf(file, "log \"/dev/null\" all;\nrouter id 192.0.2.1;\nprotocol device {}\n"
                  "ipv4 table popgate4;\n");
    for (unsigned i = 0; i < 20; i++) {
        fprintf(file,
                "protocol static popgate_s%u_v4 { disabled on; ipv4 { table popgate4; };"
                " route 192.0.2.%u/32 blackhole; }\n",
                i, i);
    }
    assert_int_equal(fclose(file), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // a failed test leaves no BIRD behind
        if (geteuid() == 0 && unshare(CLONE_NEWNET) != 0) {
            _exit(126);
        }
        execl(bird_program(), "bird", "-f", "-c", conf, "-s", world->path, (char *)NULL);
        _exit(127);
    }
    return child;
}

static void stop_bird(const struct world *world, pid_t bird)
{
    char conf[128];
    snprintf(conf, sizeof conf, "%s/bird.conf", world->directory);
    kill(bird, SIGKILL);
    waitpid(bird, NULL, 0);
    unlink(conf);
}

TEST(real_bird_takes_a_thousand_pipelined_commands_without_dropping_us)
{
    struct world *world = *state;
    char command[64];
    if (access(bird_program(), X_OK) != 0) {
        skip();
    }
    struct bird_session_options options = patient(world);
    options.echo = true;
    pid_t bird = start_bird(world);
    begin(world, options);
    run_until(world, is_up(world));
    size_t links = world->link_count;
    unsigned major = last_link(world)->version.major;
    for (uint64_t token = 0; token < 1000; token++) {
        snprintf(command, sizeof command, "%s \"popgate_s%llu_v4\"",
                 token / 20 % 2 == 0 ? "enable" : "disable", (unsigned long long)(token % 20));
        assert_int_equal(bird_session_send(world->session, command, token, false), 0);
    }
    run_until(world, world->end_count == 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(world->ends[i].token, i);
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
        assert_int_equal(world->ends[i].code, 0);
    }
    assert_int_equal(world->link_count, links);
    if (major == 2) {
        run_until(world, world->echo_count > 0);
    }
    assert_int_equal(bird_session_send(world->session, "enable \"nosuch\"", 1, false), 0);
    run_until(world, world->end_count == 1001);
    assert_int_equal(world->ends[1000].code, 8003);
    stop_bird(world, bird);
}

TEST(real_bird_stopped_is_silent_woken_it_answers_and_killed_it_is_down)
{
    struct world *world = *state;
    if (access(bird_program(), X_OK) != 0) {
        skip();
    }
    struct bird_session_options options = patient(world);
    options.deadline_ms = 100;
    pid_t bird = start_bird(world);
    begin(world, options);
    run_until(world, is_up(world));
    kill(bird, SIGSTOP);
    assert_int_equal(bird_session_send(world->session, "enable \"popgate_s1_v4\"", 1, true), 0);
    run_until(world, is_silent(world));
    kill(bird, SIGCONT);
    run_until(world, world->end_count == 1);
    assert_true(is_up(world));
    assert_int_equal(world->ends[0].end, BIRD_END_REPLY);
    assert_string_equal(world->ends[0].text, "");
    stop_bird(world, bird);
    run_until(world, is_down_with_reason(world));
}
