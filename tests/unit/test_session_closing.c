// Closing a session: never under an answer, never for longer than it may.
#include "tests/unit/session_fixture.h"

#include <dlfcn.h>

TEST_FIXTURE(make_world, end_world);

TEST_GROUP(ignore_broken_pipes, NULL);

// BIRD 3 can die of a client that is gone when an answer is written to it.

static void close_within(struct world *world, uint64_t within_ms)
{
    bird_session_close(world->session, within_ms, note_closed, world);
    world->session = NULL;
}

static void turn_some(struct world *world)
{
    for (unsigned i = 0; i < 20; i++) {
        turn(world);
    }
}

TEST(closing_waits_until_all_that_was_written_is_answered)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    send_numbered(world, 2, false);
    close_within(world, 60000);
    turn_some(world);
    fake_say(world, "0009-first\n0000 \n0009-sec");
    turn_some(world);
    assert_false(world->closed);
    assert_true(world->client >= 0);
    fake_say(world, "ond\n0000 \n");
    run_until(world, world->closed);
    run_until(world, world->client < 0);
    assert_int_equal(world->line_count + world->end_count, 0);
}

TEST(closing_waits_no_longer_than_it_may)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    close_within(world, 20);
    run_until(world, world->closed);
    run_until(world, world->client < 0);
}

TEST(closing_waits_for_nothing_when_nothing_is_outstanding)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    fake_say(world, "0000 \n");
    run_until(world, world->end_count == 1);
    close_within(world, 60000);
    run_until(world, world->closed);
}

TEST(closing_ends_when_bird_does)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    close_within(world, 60000);
    turn_some(world);
    fake_hang_up(world);
    run_until(world, world->closed);
}

TEST(closing_forgets_what_was_not_written)
{
    struct world *world = *state;
    char command[BIRD_COMMAND_MAX * 2];
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 100; token++) {
        send_numbered(world, token, false);
    }
    size_t written = unread(world);
    size_t heard = 0;
    close_within(world, 60000);
    while (world->client >= 0 && fake_hears(world, command, sizeof command)) {
        heard += strlen(command) + 1;
        fake_answer(world, command);
        turn(world);
    }
    run_until(world, world->closed);
    assert_int_equal(heard, written);
}

TEST(a_line_that_ends_silence_and_in_whose_event_it_is_closed_is_an_answer)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    send_numbered(world, 1, true);
    run_until(world, is_silent(world));
    world->close_at = AT_UP;
    world->close_within_ms = 60000;
    fake_say(world, "0000 \n");
    run_until(world, world->closed);
}

// The session is done with that connection, and closing waits until BIRD is, too.
static void expect_read_to_its_end(struct world *world, int former)
{
    turn_some(world);
    assert_false(world->closed);
    assert_int_equal(state_of(former) & (POLLRDHUP | POLLHUP), POLLRDHUP);
    close(former);
    run_until(world, world->closed);
}

static int give_up_on(struct world *world, uint64_t token)
{
    size_t ended = world->end_count;
    send_numbered(world, token, true);
    run_until(world, is_silent(world));
    int former = keep_former(world);
    run_until(world, world->end_count == ended + 1);
    run_until(world, is_up(world));
    return former;
}

TEST(a_connection_given_up_is_read_to_its_end_and_never_closed_under_an_answer)
{
    struct world *world = *state;
    char answer[4096];
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    int former = give_up_on(world, 1);
    assert_true(state_of(former) & POLLRDHUP); // BIRD, awake, sees that we are done with it
    assert_false(state_of(former) & POLLHUP);
    memset(answer, 'x', sizeof answer);
    for (unsigned i = 0; i < 100; i++) { // it ends no line, and need not
        run_until(world, unread_by_session(former) == 0);
        assert_int_equal(write(former, answer, sizeof answer), sizeof answer);
    }
    send_numbered(world, 2, true);
    assert_heard(world, "disable \"popgate_u2_v4\"");
    fake_say(world, "0000 \n");
    run_until(world, world->end_count == 2);
    assert_int_equal(world->ends[1].end, BIRD_END_REPLY);
    assert_int_equal(world->line_count, 1); // none of the former one
    close(former);
    turn_some(world);
    assert_true(is_up(world));
    assert_int_equal(world->accepted, 2);
}

#define PARTING_BYTES ((size_t)64 << 20) // are read, and no more

// It may be a BIRD all the same.
TEST(who_talks_without_end_is_listened_to_no_more_and_not_closed)
{
    struct world *world = *state;
    static char answer[1 << 16];
    size_t said = 0;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    int former = give_up_on(world, 1);
    guard_awaits("it to be heard no more");
    for (unsigned deaf = 0; deaf < 20; turn(world)) {
        ssize_t length = send(former, answer, sizeof answer, MSG_NOSIGNAL);
        said += length > 0 ? (size_t)length : 0;
        deaf = length > 0 ? 0 : deaf + 1;
        own_clock_pass_ns(10000); // a loop that always finds something never sleeps
    }
    assert_in_range(said, PARTING_BYTES, PARTING_BYTES + (PARTING_BYTES >> 4));
    assert_int_equal(state_of(former) & (POLLRDHUP | POLLHUP), POLLRDHUP);
    close(former);
    close_within(world, 60000); // and its end is noticed
    run_until(world, world->closed);
}

#define PLACES 8 // pipes of a session

static void turn_for_ms(struct world *world, uint64_t ms)
{
    uint64_t end_ms = uv_now(&world->loop) + ms;
    guard_awaits("time to pass");
    while (uv_now(&world->loop) < end_ms) {
        turn(world);
    }
}

TEST(of_many_connections_given_up_none_is_closed_under_an_answer)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    int former[PLACES - 1];
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    for (size_t i = 0; i < PLACES - 1; i++) {
        former[i] = give_up_on(world, i);
    }
    for (size_t i = 0; i < PLACES - 1; i++) {
        assert_int_equal(state_of(former[i]) & (POLLRDHUP | POLLHUP), POLLRDHUP);
        close(former[i]);
    }
}

// Where so many are silent, one more would be, too.
TEST(a_connection_is_not_given_up_while_there_is_no_place_for_another)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    int former[PLACES - 1];
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    for (size_t i = 0; i < PLACES - 1; i++) {
        former[i] = give_up_on(world, i);
    }
    send_numbered(world, PLACES, true);
    run_until(world, is_silent(world));
    turn_for_ms(world, 200);
    assert_true(is_silent(world));
    assert_int_equal(world->accepted, PLACES);
    close(former[0]);
    int last = keep_former(world);
    run_until(world, is_up(world));
    assert_int_equal(world->accepted, PLACES + 1);
    close(last);
    for (size_t i = 1; i < PLACES - 1; i++) {
        close(former[i]);
    }
}

TEST(a_connection_out_of_step_after_one_given_up_leaves_that_alone)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    int first = give_up_on(world, 1);
    fake_say(world, "0000 \n"); // answers nothing
    run_until(world, world->accepted == 3);
    run_until(world, is_up(world));
    assert_int_equal(state_of(first) & (POLLRDHUP | POLLHUP), POLLRDHUP);
    close(first);
}

TEST(closing_while_nothing_more_is_read_leaves_what_was_given_up_alone)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    options.reply_ms = 5000;
    begin_and_greet(world, options);
    int first = give_up_on(world, 1);
    send_numbered(world, 2, true);
    while (!is_silent(world)) {
        fake_say(world, "1006-more\n");
        own_clock_pass_ns(10 * NS_PER_MS); // a loop that always finds something never sleeps
        turn(world);
    }
    close_within(world, 60000);
    expect_read_to_its_end(world, first);
}

TEST(what_is_garbled_while_closing_leaves_what_was_given_up_alone)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    int first = give_up_on(world, 1);
    send_numbered(world, 2, true);
    close_within(world, 60000);
    fake_say(world, "HTTP/1.1 400 Bad Request\n");
    expect_read_to_its_end(world, first);
}

// This program's comes before libuv's.
static int write_error;

int uv_try_write(uv_stream_t *stream, const uv_buf_t buffers[], unsigned count)
{
    int (*real)(uv_stream_t *, const uv_buf_t[], unsigned) = NULL;
    if (write_error != 0) {
        return write_error;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "uv_try_write");
    return real(stream, buffers, count);
}

static int lose_for(struct world *world, int error)
{
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    int former = keep_former(world);
    write_error = error;
    send_numbered(world, 2, true);
    write_error = 0;
    run_until(world, is_down_with_reason(world));
    run_until(world, is_up(world));
    return former;
}

TEST(a_write_that_fails_for_want_of_memory_closes_nothing_under_an_answer)
{
    struct world *world = *state;
    int former = lose_for(world, UV_ENOBUFS);
    assert_int_equal(state_of(former) & (POLLRDHUP | POLLHUP), POLLRDHUP);
    close(former);
}

// Whoever waits for what was refused would do so for ever.
TEST(a_connection_that_takes_no_more_is_renewed_and_not_closed_under_an_answer)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    uint64_t taken = 0;
    while (bird_session_send(world->session, "show status", taken, false) == 0) {
        taken++;
    }
    bird_session_renew(world->session);
    bird_session_renew(world->session); // once is enough
    assert_int_equal(world->end_count, 0);
    int former = keep_former(world);
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "thousands of commands wait");
    run_until(world, world->end_count == taken);
    run_until(world, is_up(world));
    assert_int_equal(world->accepted, 2);
    assert_int_equal(state_of(former) & (POLLRDHUP | POLLHUP), POLLRDHUP);
    close(former);
}

TEST(a_write_to_a_bird_that_is_gone_ends_the_connection)
{
    struct world *world = *state;
    int former = lose_for(world, UV_EPIPE);
    assert_true(state_of(former) & POLLHUP);
    close(former);
}

TEST(closing_after_a_write_that_failed_waits_for_the_answers_too)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    write_error = UV_ENOMEM;
    send_numbered(world, 2, true);
    write_error = 0;
    int former = keep_former(world);
    close_within(world, 60000);
    expect_read_to_its_end(world, former);
}

TEST(a_garbled_connection_is_not_closed_under_an_answer_either)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    send_numbered(world, 2, true);
    fake_say(world, "0000 \nHTTP/1.1 400 Bad Request\n0000 \n");
    int former = keep_former(world);
    run_until(world, is_down_with_reason(world));
    run_until(world, is_up(world));
    assert_int_equal(state_of(former) & (POLLRDHUP | POLLHUP), POLLRDHUP);
    close(former);
}

TEST(what_was_never_asked_anything_is_closed_at_once)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    world->greeting = NULL;
    fake_start(world);
    begin(world, options);
    run_until(world, is_silent(world));
    run_until(world, world->client >= 0);
    int former = keep_former(world);
    run_until(world, state_of(former) & POLLHUP);
    close(former);
}

TEST(closing_waits_for_a_connection_given_up_too)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    int former = give_up_on(world, 1);
    close_within(world, 60000);
    turn_some(world);
    assert_false(world->closed);
    close(former);
    run_until(world, world->closed);
}
