// dns/cookie: RFC 9018's own examples, what is accepted for how long, and the secrets file.
#include "dns/responder/cookie.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLD_SECRET   "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define V6_SECRET    "dd3bdf9344b678b185a6f5cb60fca715"
#define V6_NEXT      "445536bcd2513298075a5d379663c962"
#define V6_CLIENT    "2001:db8:220:1:59de:d0f4:8769:82b8"
#define CLIENT       "198.51.100.100"
#define MADE_AT_S    1559731985u
#define CLIENT_PART  "2464c4abcf10c957"
#define WHOLE_COOKIE CLIENT_PART "010000005cf79f111f8130c3eee29480"

static size_t octets(const char *hex, uint8_t *out)
{
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++) {
        char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return length;
}

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        out.ss_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        out.ss_family = AF_INET6;
    }
    return out;
}

static struct cookie_secrets secrets_of(const char *text)
{
    struct cookie_secrets secrets;
    char error[ERROR_MAX];
    if (cookie_secrets_parse(text, strlen(text), &secrets, error) != 0) {
        fail_msg("%s: %s", text, error);
    }
    return secrets;
}

static enum cookie_verdict verdict(const char *secrets_text, const char *client, uint32_t now_s,
                                   const char *cookie)
{
    struct cookie_secrets secrets = secrets_of(secrets_text);
    struct sockaddr_storage address = address_of(client);
    uint8_t *option = malloc(strlen(cookie) / 2 + 1); // its end is the sanitizer's
    assert_non_null(option);
    size_t length = octets(cookie, option);
    enum cookie_verdict out =
        cookie_check(&secrets, (struct sockaddr *)&address, now_s, option, length);
    free(option);
    return out;
}

static void assert_made(const char *secrets_text, const char *client, uint32_t now_s,
                        const char *client_part, const char *expected_hex)
{
    struct cookie_secrets secrets = secrets_of(secrets_text);
    struct sockaddr_storage address = address_of(client);
    uint8_t part[COOKIE_CLIENT_SIZE], out[COOKIE_SIZE], expected[COOKIE_SIZE];
    octets(client_part, part);
    octets(expected_hex, expected);
    cookie_make(&secrets, (struct sockaddr *)&address, now_s, part, out);
    assert_memory_equal(out, expected, sizeof out);
}

TEST(cookies_are_those_of_rfc_9018)
{
    // Appendix A.1 to A.4: the secret, who asks, when, with what, and the cookie that it gets.
    static const struct {
        const char *secrets, *client;
        uint32_t now_s;
        enum cookie_verdict verdict;
        const char *sent, *made;
    } vectors[] = {
        {OLD_SECRET, CLIENT, MADE_AT_S, COOKIE_NEW, CLIENT_PART, WHOLE_COOKIE},
        {OLD_SECRET, CLIENT, 1559734385, COOKIE_GOOD, WHOLE_COOKIE,
         "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
        {OLD_SECRET, "203.0.113.203", 1559734700, COOKIE_BAD,
         "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
         "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
        {V6_NEXT "\n" V6_SECRET, V6_CLIENT, 1559741961, COOKIE_GOOD,
         "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
         "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char part[2 * COOKIE_CLIENT_SIZE + 1];
        snprintf(part, sizeof part, "%.16s", vectors[i].sent);
        assert_int_equal(
            verdict(vectors[i].secrets, vectors[i].client, vectors[i].now_s, vectors[i].sent),
            vectors[i].verdict);
        assert_made(vectors[i].secrets, vectors[i].client, vectors[i].now_s, part, vectors[i].made);
    }
}

TEST(reserved_bits_are_hashed_as_they_came)
{
    // Appendix A.3's cookie, which has some set, while it is young enough.
    assert_int_equal(verdict(OLD_SECRET, "203.0.113.203", 0x5cf78f71,
                             "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"),
                     COOKIE_GOOD);
    assert_int_equal(verdict(OLD_SECRET, "203.0.113.203", 0x5cf78f71,
                             "fc93fc62807ddb86010000005cf78f71a314227b6679ebf5"),
                     COOKIE_BAD);
}

TEST(a_cookie_is_good_for_an_hour_and_from_five_minutes_ahead)
{
    static const struct {
        int64_t age_s;
        enum cookie_verdict verdict;
    } cases[] = {{0, COOKIE_GOOD},    {3600, COOKIE_GOOD}, {3601, COOKIE_BAD},
                 {-300, COOKIE_GOOD}, {-301, COOKIE_BAD},  {INT32_MAX, COOKIE_BAD}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t now_s = (uint32_t)(MADE_AT_S + cases[i].age_s);
        assert_int_equal(verdict(OLD_SECRET, CLIENT, now_s, WHOLE_COOKIE), cases[i].verdict);
    }
}

TEST(time_wraps_around_without_anyone_noticing)
{
    struct cookie_secrets secrets = secrets_of(OLD_SECRET);
    struct sockaddr_storage client = address_of(CLIENT);
    const struct sockaddr *address = (struct sockaddr *)&client;
    uint8_t cookie[COOKIE_SIZE];
    cookie_make(&secrets, address, UINT32_MAX - 10, (const uint8_t *)"12345678", cookie);
    assert_int_equal(cookie_check(&secrets, address, 20, cookie, sizeof cookie), COOKIE_GOOD);
    assert_int_equal(cookie_check(&secrets, address, 4000, cookie, sizeof cookie), COOKIE_BAD);
    cookie_make(&secrets, address, 10, (const uint8_t *)"12345678", cookie);
    assert_int_equal(cookie_check(&secrets, address, UINT32_MAX - 20, cookie, sizeof cookie),
                     COOKIE_GOOD);
}

TEST(a_cookie_is_of_no_use_to_anyone_else)
{
    assert_int_equal(verdict(OLD_SECRET, "198.51.100.101", MADE_AT_S, WHOLE_COOKIE), COOKIE_BAD);
    assert_int_equal(verdict(OLD_SECRET, V6_CLIENT, MADE_AT_S, WHOLE_COOKIE), COOKIE_BAD);
    assert_int_equal(verdict(V6_SECRET, CLIENT, MADE_AT_S, WHOLE_COOKIE), COOKIE_BAD);
    assert_int_equal(
        verdict(OLD_SECRET, CLIENT, MADE_AT_S, "2464c4abcf10c958010000005cf79f111f8130c3eee29480"),
        COOKIE_BAD);
}

TEST(a_secret_on_its_way_out_is_accepted_but_makes_no_cookies)
{
    assert_int_equal(verdict(V6_SECRET "\n" OLD_SECRET, CLIENT, MADE_AT_S, WHOLE_COOKIE),
                     COOKIE_GOOD);
    assert_int_equal(
        verdict(V6_SECRET "\n" V6_NEXT "\n" OLD_SECRET, CLIENT, MADE_AT_S, WHOLE_COOKIE),
        COOKIE_GOOD);
    assert_made(OLD_SECRET "\n" V6_SECRET, CLIENT, MADE_AT_S, CLIENT_PART, WHOLE_COOKIE);
}

TEST(lengths_that_no_cookie_has_are_malformed)
{
    char cookie[2 * 64 + 1];
    for (size_t length = 0; length <= 64; length++) {
        memset(cookie, '1', 2 * length);
        cookie[2 * length] = '\0';
        bool allowed = length == 8 || (length >= 16 && length <= 40);
        enum cookie_verdict expected = !allowed      ? COOKIE_MALFORMED
                                       : length == 8 ? COOKIE_NEW
                                                     : COOKIE_BAD;
        assert_int_equal(verdict(OLD_SECRET, CLIENT, MADE_AT_S, cookie), expected);
    }
}

TEST(a_cookie_of_another_version_is_bad)
{
    assert_int_equal(
        verdict(OLD_SECRET, CLIENT, MADE_AT_S, CLIENT_PART "020000005cf79f111f8130c3eee29480"),
        COOKIE_BAD);
}

TEST(a_secrets_file_may_have_comments_blanks_and_windows_line_ends)
{
    struct cookie_secrets secrets =
        secrets_of("# all PoPs\r\n\n  " OLD_SECRET "\t# makes them\r\n" V6_SECRET);
    uint8_t expected[COOKIE_SECRET_SIZE];
    assert_int_equal(secrets.count, 2);
    octets(OLD_SECRET, expected);
    assert_memory_equal(secrets.bytes[0], expected, sizeof expected);
    octets(V6_SECRET, expected);
    assert_memory_equal(secrets.bytes[1], expected, sizeof expected);
}

TEST(a_wrong_secrets_file_is_told_by_its_line_and_never_by_its_secret)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "no secret"},
        {"# nothing\n", "no secret"},
        {OLD_SECRET "\n" OLD_SECRET "00\n", "line 2"},
        {"\n\n" V6_CLIENT, "line 3"},
        {"e5e973e5a6b2a43f48e7dc849e37bfc", "line 1"},
        {"e5e973e5a6b2a43f48e7dc849e37bfcg", "line 1"},
        {"e5e973e5 a6b2a43f48e7dc849e37bfcf", "line 1"},
        {OLD_SECRET "\n" V6_SECRET "\n" V6_NEXT "\n" OLD_SECRET, "line 4: more than 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cookie_secrets secrets;
        char error[ERROR_MAX];
        assert_int_equal(
            cookie_secrets_parse(cases[i].text, strlen(cases[i].text), &secrets, error), -1);
        assert_non_null(strstr(error, cases[i].says));
        assert_null(strstr(error, "e5e9"));
    }
}
