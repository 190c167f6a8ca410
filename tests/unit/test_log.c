// A log line is one line, says what it knows, and can't be forged from outside.
#include "base/text.h"
#include "controller/daemon/log.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(a_transition_says_from_to_cause_and_times)
{
    char line[LOG_LINE_MAX];
    struct event event = {.kind = EVENT_TRANSITION,
                          .service = "dns",
                          .from = TARGET_ANNOUNCE,
                          .to = TARGET_WITHDRAW,
                          .cause = CAUSE_UNHEALTHY,
                          .evidence_ns = 5000000,
                          .at_ns = 5412000,
                          .acknowledged_ns = 6500000,
                          .text = "probe dns-udp is down"};
    size_t length = log_format(line, &event);
    assert_int_equal(length, strlen(line));
    assert_string_equal(line, "event=transition service=dns from=announce to=withdraw "
                              "cause=unhealthy decided_ms=0.412 acknowledged_ms=1.500 "
                              "text=\"probe dns-udp is down\"");
}

TEST(remote_text_can_not_begin_a_line_or_end_a_value)
{
    char line[LOG_LINE_MAX];
    struct event event = {.kind = EVENT_HEALTH};
    // 0xe2 0x80 0xae turns the direction of what follows.
    snprintf(event.text, sizeof event.text, "a\"\n<0>event=\x1b[2J\\ \xc2\x9b %c%c%c \xff \xc3\xbc",
             0xe2, 0x80, 0xae);
    log_format(line, &event);
    assert_string_equal(line, "event=health text=\"a\\\"\\n<0>event=\\x1b[2J\\\\ \\xc2\\x9b "
                              "\\xe2\\x80\\xae \\xff \xc3\xbc\"");
}

TEST(the_longest_text_fits)
{
    char line[LOG_LINE_MAX];
    struct event event = {.kind = EVENT_TRANSITION, .evidence_ns = 1, .at_ns = UINT64_MAX};
    memset(event.service, 's', sizeof event.service - 1);
    memset(event.text, 1, sizeof event.text - 1);
    assert_in_range(log_format(line, &event), 4 * (EVENT_TEXT_MAX - 1), LOG_LINE_MAX - 1);
}

TEST(text_is_cut_at_a_whole_character)
{
    char out[6];
    assert_int_equal(text_printable(out, sizeof out, "abcd\xc3\xbc", false), 4);
    assert_string_equal(out, "abcd");
    assert_int_equal(text_printable(out, sizeof out, "ab\x01", false), 2);
    assert_string_equal(out, "ab");
}

TEST(only_well_formed_utf8_passes)
{
    assert_int_equal(utf8_length("a"), 1);
    assert_int_equal(utf8_length("\xc3\xbc"), 2);
    assert_int_equal(utf8_length("\xe2\x82\xac"), 3);
    assert_int_equal(utf8_length("\xf0\x9f\x92\xa9"), 4);
    assert_int_equal(utf8_length("\xc0\x80"), 0);         // overlong
    assert_int_equal(utf8_length("\xed\xa0\x80"), 0);     // surrogate
    assert_int_equal(utf8_length("\xf4\x90\x80\x80"), 0); // beyond Unicode
    assert_int_equal(utf8_length("\xe2\x82"), 0);         // cut
    assert_int_equal(utf8_length("\x80"), 0);
}

TEST(a_full_pipe_drops_lines_rather_than_wait_and_says_so)
{
    int pipes[2];
    static char text[1 << 20];
    struct event event = {.kind = EVENT_BIRD};
    memset(event.text, 'x', sizeof event.text - 1);
    assert_int_equal(pipe(pipes), 0);
    int saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(pipes[1], STDERR_FILENO), STDERR_FILENO);
    for (unsigned i = 0; i < 1000; i++) {
        log_event(&event, false);
    }
    ssize_t before = read(pipes[0], text, sizeof text);
    log_line(LOG_LEVEL_INFO, "after");
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(pipes[1]);
    close(saved);
    ssize_t length = read(pipes[0], text, sizeof text - 1);
    close(pipes[0]);
    assert_true(before > 0 && length > 0);
    text[length] = '\0';
    assert_non_null(strstr(text, " log lines were lost\nafter\n"));
}

TEST(of_lines_that_come_at_once_each_that_is_lost_counts)
{
    enum { LINES = 1000 };
    int pipes[2];
    static char text[1 << 20];
    unsigned long lines = 0;
    struct event event = {.kind = EVENT_BIRD};
    memset(event.text, 'x', sizeof event.text - 1);
    assert_int_equal(pipe(pipes), 0);
    int saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(pipes[1], STDERR_FILENO), STDERR_FILENO);
    for (unsigned i = 1; i <= LINES; i++) {
        log_event(&event, i < LINES);
    }
    ssize_t before = read(pipes[0], text, sizeof text);
    for (ssize_t i = 0; i < before; i++) {
        lines += text[i] == '\n';
    }
    log_line(LOG_LEVEL_INFO, "after");
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(pipes[1]);
    close(saved);
    ssize_t length = read(pipes[0], text, sizeof text - 1);
    close(pipes[0]);
    assert_true(length > 0);
    text[length] = '\0';
    assert_in_range(lines, 1, LINES - 1);
    assert_int_equal(strtoul(text, NULL, 10), LINES - lines);
}

// Each write to such a socket is one message.
TEST(a_thousand_lines_at_once_are_some_writes_of_whole_lines)
{
    enum { LINES = 1000, EACH_MAX = 200 };
    int ends[2];
    char text[8192];
    unsigned writes = 0;
    unsigned lines = 0;
    struct event event = {.kind = EVENT_TRANSITION, .service = "dns", .text = "it died"};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    int saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    for (unsigned i = 1; i <= LINES; i++) {
        log_event(&event, i < LINES);
        for (ssize_t length; (length = recv(ends[0], text, sizeof text, 0)) > 0; writes++) {
            assert_int_equal(text[length - 1], '\n');
            for (ssize_t at = 0; at < length; at++) {
                lines += text[at] == '\n';
            }
        }
    }
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    close(saved);
    assert_int_equal(lines, LINES); // the last of them does not wait for another
    assert_in_range(writes, 1, LINES * EACH_MAX / 4096 + 1);
}
