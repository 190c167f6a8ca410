// What the kernel says of the way to an address: its answers, byte by byte, and a real kernel's.
#include "controller/daemon/route.h"

#include "tests/test.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct {
    struct nlmsghdr header;
    union {
        struct nlmsgerr error;
        struct {
            struct rtmsg route;
            uint8_t attributes[128];
        } said;
    };
} message;
static size_t filled; // of the attributes

static void begin(unsigned char type, unsigned char length, unsigned char protocol)
{
    memset(&message, 0, sizeof message);
    message.header.nlmsg_type = RTM_NEWROUTE;
    message.said.route = (struct rtmsg){
        .rtm_family = AF_INET, .rtm_dst_len = length, .rtm_type = type, .rtm_protocol = protocol};
    filled = 0;
}

static void add(unsigned short type, const void *value, unsigned short length)
{
    struct rtattr attribute = {.rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(length)};
    memcpy(message.said.attributes + filled, &attribute, sizeof attribute);
    memcpy(message.said.attributes + filled + sizeof attribute, value, length);
    filled += RTA_ALIGN(attribute.rta_len);
}

static struct way read_message(void)
{
    struct way way;
    message.header.nlmsg_len = (uint32_t)NLMSG_LENGTH(sizeof(struct rtmsg) + filled);
    route_read(&message, message.header.nlmsg_len, &way);
    return way;
}

TEST(a_route_is_read_with_whose_it_is_and_its_metric)
{
    begin(RTN_UNICAST, 32, RTPROT_BIRD);
    add(RTA_DST, (uint8_t[]){192, 0, 2, 53}, 4);
    add(RTA_GATEWAY, (uint8_t[]){10, 8, 0, 2}, 4);
    add(RTA_PRIORITY, &(uint32_t){32}, 4);
    struct way way = read_message();
    assert_int_equal(way.kind, WAY_ROUTE);
    assert_int_equal(way.length, 32);
    assert_int_equal(way.metric, 32);
    assert_true(way.by_bird);
    assert_string_equal(way.text, "192.0.2.53/32 via 10.8.0.2 proto bird metric 32");
}

TEST(the_default_route_has_no_prefix_of_its_own)
{
    begin(RTN_UNICAST, 0, RTPROT_STATIC);
    add(RTA_GATEWAY, (uint8_t[]){10, 8, 0, 2}, 4);
    struct way way = read_message();
    assert_int_equal(way.length, 0);
    assert_false(way.by_bird);
    assert_string_equal(way.text, "0.0.0.0/0 via 10.8.0.2 proto static metric 0");
}

// A neighbour that announces IPv4 over IPv6 (RFC 8950), as BIRD's `extended next hop` takes it.
TEST(a_route_by_way_of_another_family_is_told_with_it)
{
    struct {
        uint16_t family;
        uint8_t address[16];
    } via = {AF_INET6, {0x20, 0x01, 0x0d, 0xb8, 0, 8, [15] = 2}};
    begin(RTN_UNICAST, 24, RTPROT_BIRD);
    add(RTA_DST, (uint8_t[]){192, 0, 2, 0}, 4);
    add(RTA_VIA, &via, sizeof via);
    assert_string_equal(read_message().text,
                        "192.0.2.0/24 via inet6 2001:db8:8::2 proto bird metric 0");
    begin(RTN_UNICAST, 24, RTPROT_BIRD);
    add(RTA_DST, (uint8_t[]){192, 0, 2, 0}, 4);
    add(RTA_VIA, &via, sizeof via - 1);
    assert_string_equal(read_message().text, "192.0.2.0/24 proto bird metric 0");
}

TEST(an_address_that_is_too_short_is_none)
{
    begin(RTN_UNICAST, 32, RTPROT_BOOT);
    add(RTA_DST, (uint8_t[]){192, 0}, 2);
    assert_string_equal(read_message().text, "0.0.0.0/32 proto boot metric 0");
}

TEST(a_blackhole_is_what_the_kernel_refuses_with_einval_and_nothing_else)
{
    struct way way;
    memset(&message, 0, sizeof message);
    message.header.nlmsg_type = NLMSG_ERROR;
    message.header.nlmsg_len = (uint32_t)NLMSG_LENGTH(sizeof(struct nlmsgerr));
    message.error.error = -EINVAL;
    route_read(&message, message.header.nlmsg_len, &way);
    assert_int_equal(way.kind, WAY_BLACKHOLE);
    message.error.error = -ENETUNREACH;
    route_read(&message, message.header.nlmsg_len, &way);
    assert_int_equal(way.kind, WAY_UNKNOWN);
    message.header.nlmsg_len = sizeof message.header;
    route_read(&message, message.header.nlmsg_len, &way);
    assert_int_equal(way.kind, WAY_UNKNOWN);
    route_read(&message, 7, &way);
    assert_int_equal(way.kind, WAY_UNKNOWN);
}

TEST(the_way_to_this_host_is_local)
{
    struct endpoint target;
    char error[ERROR_MAX];
    struct way way;
    assert_int_equal(endpoint_parse("127.0.0.1:53", true, &target, error), 0);
    route_to(&target, &way);
    assert_int_equal(way.kind, WAY_LOCAL);
}
