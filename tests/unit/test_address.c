// The `address` probe beside a real kernel, in a network of the test's own: no event that is lost
// costs more than a list of addresses. The probes' interval is an hour: nothing here is polled.
//
// This program's recvmsg() comes before the C library's, and spoils what the kernel says as the
// kernel itself does now and then.
#include "probes/address_message.h"
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define OURS       UINT32_C(0xc0000235) // 192.0.2.53
#define ANOTHER    UINT32_C(0xc00002c8) // 192.0.2.200
#define MANY       UINT32_C(0x0a000001) // 10.0.0.1 and on
#define FLOOD      2000                 // events; the kernel keeps some hundreds for a reader
#define MANY_COUNT 2000                 // addresses; a list has some hundreds in each part

static struct fixture fixture;
static int kernel =
    -1; // a netlink socket to change addresses with; -1: there is no privilege for it

static enum {
    AS_IT_IS,
    INTERRUPTED, // the list that comes next: it lacks what it should have, and says so
    CUT,         // the message that comes next: there was no room for all of it
    LOST,        // the list that comes next: nothing comes of it
    OLD,         // the end of the list before comes in front of it
    STRANGE,     // somebody else than the kernel says that it is over
} spoilt;

// Every message of a list that changed under the kernel's hand says that it did.
static void interrupt(uint8_t *bytes, size_t length)
{
    for (struct nlmsghdr *message = (struct nlmsghdr *)bytes; NLMSG_OK(message, length);
         message = NLMSG_NEXT(message, length)) {
        message->nlmsg_flags |= NLM_F_DUMP_INTR;
        if (message->nlmsg_type == NLMSG_DONE) {
            spoilt = AS_IT_IS;
        } else {
            message->nlmsg_type = NLMSG_NOOP; // in place of the address that was in it
        }
    }
}

static void lose(uint8_t *bytes, size_t length)
{
    for (struct nlmsghdr *message = (struct nlmsghdr *)bytes; NLMSG_OK(message, length);
         message = NLMSG_NEXT(message, length)) {
        bool listed = message->nlmsg_type == NLMSG_DONE || (message->nlmsg_flags & NLM_F_MULTI);
        spoilt = message->nlmsg_type == NLMSG_DONE ? AS_IT_IS : spoilt;
        message->nlmsg_flags &= (uint16_t)~NLM_F_MULTI;
        message->nlmsg_type = listed ? NLMSG_NOOP : message->nlmsg_type;
    }
}

static const struct nlmsghdr list_end = {
    .nlmsg_len = NLMSG_LENGTH(0), .nlmsg_type = NLMSG_DONE, .nlmsg_flags = NLM_F_MULTI};

// Puts the end of an older list before what has come; its new length.
static ssize_t put_before(const struct iovec *part, ssize_t length)
{
    struct nlmsghdr *first = part->iov_base;
    struct nlmsghdr end = list_end;
    assert_true((size_t)length + sizeof end <= part->iov_len);
    end.nlmsg_seq = first->nlmsg_seq - 1;
    memmove((uint8_t *)part->iov_base + sizeof end, part->iov_base, (size_t)length);
    memcpy(part->iov_base, &end, sizeof end);
    spoilt = AS_IT_IS;
    return length + (ssize_t)sizeof end;
}

// The end of the first list that is asked for, by a process.
static ssize_t say_strangely(struct msghdr *header)
{
    struct nlmsghdr end = list_end;
    struct sockaddr_nl from = {.nl_family = AF_NETLINK, .nl_pid = (uint32_t)getpid()};
    end.nlmsg_seq = 1;
    memcpy(header->msg_name, &from, sizeof from);
    memcpy(header->msg_iov->iov_base, &end, sizeof end);
    header->msg_flags = 0;
    spoilt = AS_IT_IS;
    return sizeof end;
}

static bool is_listener(int fd)
{
    int protocol = -1;
    int domain = -1;
    socklen_t length = sizeof protocol;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_NETLINK &&
           getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 &&
           protocol == NETLINK_ROUTE;
}

ssize_t recvmsg(int fd, struct msghdr *header, int flags)
{
    if (spoilt == STRANGE && is_listener(fd)) {
        return say_strangely(header);
    }
    ssize_t length = syscall(SYS_recvmsg, fd, header, flags);
    bool netlink = length > 0 && header->msg_namelen == sizeof(struct sockaddr_nl) &&
                   ((const struct sockaddr_nl *)header->msg_name)->nl_family == AF_NETLINK;
    if (netlink && spoilt == INTERRUPTED) {
        interrupt(header->msg_iov->iov_base, (size_t)length);
    } else if (netlink && spoilt == LOST) {
        lose(header->msg_iov->iov_base, (size_t)length);
    } else if (netlink && spoilt == OLD) {
        length = put_before(header->msg_iov, length);
    } else if (netlink && spoilt == CUT) {
        header->msg_flags |= MSG_TRUNC;
        length = sizeof(struct nlmsghdr) / 2;
        spoilt = AS_IT_IS;
    }
    return length;
}

// Adds the address to lo, or deletes it there, and waits till it is done.
static void change(uint16_t type, uint32_t address)
{
    struct {
        struct nlmsghdr header;
        struct ifaddrmsg body;
        struct rtattr attribute;
        uint32_t local;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = type,
                   .nlmsg_flags =
                       NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWADDR ? NLM_F_CREATE : 0)},
        .body = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = if_nametoindex("lo")},
        .attribute = {.rta_len = RTA_LENGTH(sizeof address), .rta_type = IFA_LOCAL},
        .local = htonl(address),
    };
    struct {
        struct nlmsghdr header;
        struct nlmsgerr body;
    } answer;
    assert_int_equal(send(kernel, &request, sizeof request, 0), sizeof request);
    assert_true(recv(kernel, &answer, sizeof answer, 0) > 0);
    assert_int_equal(answer.body.error, 0);
}

static void switch_lo(bool up)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = up ? IFF_UP : 0};
    assert_int_equal(ioctl(kernel, SIOCSIFFLAGS, &request), 0);
}

// More events than the kernel keeps, none of them about our address.
static void flood(void)
{
    for (int i = 0; i < FLOOD / 2; i++) {
        change(RTM_NEWADDR, ANOTHER);
        change(RTM_DELADDR, ANOTHER);
    }
}

static int set_up(void **state)
{
    (void)state;
    spoilt = AS_IT_IS;
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return 0;
    }
    kernel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    assert_true(kernel >= 0);
    change(RTM_NEWADDR, OURS);
    switch_lo(true);
    fixture_open(&fixture, "address");
    fixture_set(&fixture, "interval", "1h");
    fixture_set(&fixture, "addresses", "192.0.2.53");
    return 0;
}

TEST_FIXTURE(set_up, NULL);

static void begin(void)
{
    const struct probe_conf *conf = &fixture.conf;
    if (kernel < 0) {
        skip();
    }
    fixture.scheduler = scheduler_new(&fixture.loop, fixture_on_verdict, &fixture);
    assert_non_null(fixture.scheduler);
    assert_int_equal(scheduler_apply(fixture.scheduler, &conf, 1), 0);
}

static void run(size_t verdicts)
{
    fixture.wanted = verdicts;
    if (fixture.count < verdicts) {
        uv_run(&fixture.loop, UV_RUN_DEFAULT);
    }
}

static void end(void)
{
    scheduler_close(fixture.scheduler, NULL, NULL);
    fixture_close(&fixture);
    close(kernel);
    kernel = -1;
}

TEST(an_address_that_goes_and_comes_is_noticed_at_once)
{
    begin();
    run(1);
    assert_verdict(&fixture.verdicts[0], VERDICT_PASS, "ok", "1 address configured");
    change(RTM_DELADDR, OURS);
    run(2);
    assert_verdict(&fixture.verdicts[1], VERDICT_FAIL, "no-address", "192.0.2.53");
    assert_true(fixture.verdicts[1].definitive);
    change(RTM_NEWADDR, OURS);
    while (fixture.verdicts[fixture.count - 1].kind != VERDICT_PASS) {
        run(fixture.count + 1); // the checks that follow a crash in short order
    }
    end();
}

TEST(an_address_on_an_interface_that_is_down_does_not_count)
{
    begin();
    run(1);
    switch_lo(false);
    run(2);
    assert_verdict(&fixture.verdicts[1], VERDICT_FAIL, "no-address",
                   "192.0.2.53 is configured on an interface that is down: lo");
    assert_true(fixture.verdicts[1].definitive);
    switch_lo(true);
    while (fixture.verdicts[fixture.count - 1].kind != VERDICT_PASS) {
        run(fixture.count + 1);
    }
    end();
}

TEST(an_address_whose_going_was_lost_among_other_events_is_noticed)
{
    begin();
    run(1);
    flood();
    change(RTM_DELADDR, OURS);
    run(2);
    assert_verdict(&fixture.verdicts[1], VERDICT_FAIL, "no-address", "192.0.2.53");
    end();
}

// Between the question for a list of several parts and the reading of the first of them.
static void lose_events(uv_prepare_t *prepare)
{
    uv_close((uv_handle_t *)prepare, NULL);
    flood();
    change(RTM_DELADDR, OURS);
}

TEST(events_lost_while_a_list_comes_in_are_made_up_for)
{
    uv_prepare_t prepare; // it runs between the timer that begins the check and reading sockets
    for (uint32_t i = 0; kernel >= 0 && i < MANY_COUNT; i++) {
        change(RTM_NEWADDR, MANY + i);
    }
    begin();
    uv_prepare_init(&fixture.loop, &prepare);
    uv_prepare_start(&prepare, lose_events);
    run(1);
    if (fixture.verdicts[0].kind != VERDICT_FAIL) { // the address was in the first part
        run(2);
    }
    assert_verdict(&fixture.verdicts[fixture.count - 1], VERDICT_FAIL, "no-address", "192.0.2.53");
    end();
}

TEST(a_list_that_changed_under_the_kernels_hand_is_asked_for_again)
{
    spoilt = INTERRUPTED;
    begin();
    run(1);
    assert_verdict(&fixture.verdicts[0], VERDICT_PASS, "ok", "1 address configured");
    end();
}

TEST(what_belongs_to_an_older_list_is_none_of_this_one)
{
    spoilt = OLD;
    begin();
    run(1);
    assert_verdict(&fixture.verdicts[0], VERDICT_PASS, "ok", "1 address configured");
    end();
}

TEST(only_the_kernel_knows_the_addresses)
{
    spoilt = STRANGE;
    begin();
    run(1);
    assert_verdict(&fixture.verdicts[0], VERDICT_PASS, "ok", "1 address configured");
    end();
}

// On a point-to-point interface the other end has an address too.
TEST_WITH(the_address_of_the_other_end_is_not_ours, NULL, NULL)
{
    struct {
        struct nlmsghdr header;
        struct ifaddrmsg body;
        struct {
            struct rtattr head;
            uint32_t address;
        } attributes[2];
    } message = {
        .header = {.nlmsg_len = sizeof message, .nlmsg_type = RTM_NEWADDR},
        .body = {.ifa_family = AF_INET},
        .attributes = {{{RTA_LENGTH(sizeof(uint32_t)), IFA_ADDRESS}, htonl(ANOTHER)},
                       {{RTA_LENGTH(sizeof(uint32_t)), IFA_LOCAL}, htonl(OURS)}},
    };
    struct endpoint ours, another;
    char error[ERROR_MAX];
    assert_int_equal(endpoint_parse("192.0.2.53", false, &ours, error), 0);
    assert_int_equal(endpoint_parse("192.0.2.200", false, &another, error), 0);
    assert_int_equal(address_in_message(&message.header, &ours), ADDRESS_READY);
    assert_int_equal(address_in_message(&message.header, &another), ADDRESS_MISSING);
    message.attributes[1].head.rta_type = IFA_LABEL; // an interface to many: it tells its own alone
    assert_int_equal(address_in_message(&message.header, &another), ADDRESS_READY);
}

TEST(a_message_that_was_cut_may_have_been_about_us)
{
    begin();
    run(1);
    spoilt = CUT;
    change(RTM_DELADDR, OURS);
    guard_awaits("a check after a message that was cut");
    run(2);
    assert_verdict(&fixture.verdicts[1], VERDICT_FAIL, "no-address", "192.0.2.53");
    end();
}

TEST(a_list_that_does_not_come_is_no_evidence)
{
    spoilt = LOST;
    if (kernel >= 0) {
        fixture_set(&fixture, "timeout", "100ms");
    }
    begin();
    run(1);
    assert_verdict(&fixture.verdicts[0], VERDICT_UNKNOWN, "local",
                   "no list of this host's addresses from the kernel within 100ms");
    end();
}

TEST(a_list_that_was_lost_is_asked_for_again)
{
    if (kernel >= 0) {
        fixture_set(&fixture, "interval", "20ms");
    }
    begin();
    run(1);
    assert_int_equal(fixture.verdicts[0].kind, VERDICT_PASS);
    spoilt = LOST;
    change(RTM_DELADDR, OURS);
    while (spoilt != AS_IT_IS) {
        guard_awaits("the list that will be lost");
        uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    own_clock_pass_ns(2 * NS_PER_S);
    guard_awaits("another list");
    fixture.count = 0;
    run(1);
    assert_verdict(&fixture.verdicts[0], VERDICT_FAIL, "no-address", "192.0.2.53");
    end();
}
