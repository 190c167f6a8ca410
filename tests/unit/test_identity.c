// What the responder is given to say: the services' states as the core has them, and the secrets
// and limits of the configuration.
#include "controller/daemon/identity.h"
#include "dns/text.h"

#include "tests/unit/core_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS    (FIXTURE_NOW_NS / 1000000)
#define RESPONDER "[responder]\nlisten = 192.0.2.1:53\nzone = pop.example.net\n"
#define ANSWER                                                                                     \
    "[answer api.pop.example.net]\nservice = dns\na = 192.0.2.10\na.degraded = 192.0.2.20\n"       \
    "a.drained = 192.0.2.30\na.withdrawn = 192.0.2.40\n"

static struct identity *identity_of(const struct fixture *fixture, const struct identity *former)
{
    char error[ERROR_MAX];
    struct identity *identity = identity_new(fixture->config, former, error);
    if (identity == NULL) {
        print_message("%s\n", error);
    }
    assert_non_null(identity);
    return identity;
}

static struct dns_snapshot *snapshot_of(struct identity *identity, const struct fixture *fixture)
{
    return identity_snapshot(identity, fixture->core, NOW_MS, FIXTURE_WALL_MS);
}

static struct decision *decision_of(struct fixture *fixture, size_t service)
{
    return &fixture->core->services[service].decision;
}

static void decide_target(struct fixture *fixture, size_t service, enum target target)
{
    decision_of(fixture, service)->target = decision_of(fixture, service)->allowed = target;
}

// The IPv4 address that the snapshot gives for api.
static const char *address_of(const struct dns_snapshot *snapshot)
{
    static char text[INET_ADDRSTRLEN];
    static const struct sockaddr_in client = {.sin_family = AF_INET};
    struct dns_asker asker = {.address = (const struct sockaddr *)&client};
    uint8_t query[DNS_UDP_MAX];
    uint8_t answer[DNS_UDP_MAX];
    struct dns_question question = {.type = DNS_A, .class = DNS_CLASS_IN};
    struct dns_writer writer;
    struct dns_request request;
    struct dns_outcome outcome;
    struct dns_header header;
    struct dns_record record;
    assert_null(dns_name_parse("api.pop.example.net", &question.name));
    dns_write_begin(&writer, query, sizeof query, 7, 0);
    dns_write_question(&writer, &question);
    size_t length = dns_write_end(&writer);
    assert_true(dns_request_read(snapshot, &asker, query, length, &request));
    length = dns_respond(snapshot, &asker, &request, false, answer, sizeof answer, &outcome);
    struct dns_reader reader = {.message = answer, .end = length};
    assert_true(dns_read_header(&reader, &header));
    assert_int_equal(header.counts[DNS_ANSWER], 1);
    assert_true(dns_read_question(&reader, &question));
    assert_true(dns_read_record(&reader, &record));
    assert_true(dns_rdata_text(answer, &record, text, sizeof text));
    return text;
}

TEST(a_snapshot_says_what_the_core_decided)
{
    static const char text[] = "\x0ftarget=announce\x1asince=2026-11-21T00:49:58Z";
    struct fixture *fixture = fixture_new("", FIXTURE_SERVICES RESPONDER);
    struct identity *identity = identity_of(fixture, NULL);
    decide_target(fixture, 0, TARGET_ANNOUNCE);
    decision_of(fixture, 0)->since_ms = NOW_MS - 10000;
    struct dns_snapshot *snapshot = snapshot_of(identity, fixture);
    assert_non_null(snapshot);
    assert_int_equal(snapshot->service_count, 2);
    assert_int_equal(snapshot->services[0].state, DNS_STATE_NORMAL);
    assert_int_equal(snapshot->services[0].text_length, sizeof text - 1);
    assert_memory_equal(snapshot->services[0].text, text, sizeof text - 1);
    assert_int_equal(snapshot->services[1].state, DNS_STATE_WITHDRAWN);
    assert_int_equal(snapshot->counts[TARGET_ANNOUNCE], 1);
    assert_int_equal(snapshot->counts[TARGET_DEPREFERENCE], 0);
    assert_int_equal(snapshot->counts[TARGET_WITHDRAW], 1);
    assert_int_equal(snapshot->rate_limit, 200);
    assert_int_equal(snapshot->slip, 2);
    assert_int_equal(snapshot->udp_size, 1232);
    assert_int_equal(snapshot->nsid_length, 4);
    assert_memory_equal(snapshot->nsid, "fra1", 4);
    assert_int_equal(snapshot->cookies.count, 1);
    dns_snapshot_free(snapshot);
    identity_free(identity);
    fixture_free(fixture);
}

TEST(what_is_off_is_not_in_a_snapshot)
{
    struct fixture *fixture = fixture_new("", FIXTURE_SERVICES RESPONDER
                                          "nsid = off\ncookies = off\nrate_limit = 0\nslip = 0\n");
    struct identity *identity = identity_of(fixture, NULL);
    struct dns_snapshot *snapshot = snapshot_of(identity, fixture);
    assert_int_equal(snapshot->nsid_length, 0);
    assert_int_equal(snapshot->cookies.count, 0);
    assert_int_equal(snapshot->rate_limit, 0);
    assert_int_equal(snapshot->slip, 0);
    dns_snapshot_free(snapshot);
    identity_free(identity);
    fixture_free(fixture);
}

TEST(a_snapshot_comes_only_of_a_change)
{
    struct fixture *fixture = fixture_new("", FIXTURE_SERVICES RESPONDER);
    struct identity *identity = identity_of(fixture, NULL);
    dns_snapshot_free(snapshot_of(identity, fixture));
    assert_null(snapshot_of(identity, fixture));
    decide_target(fixture, 1, TARGET_DEPREFERENCE);
    struct dns_snapshot *snapshot = snapshot_of(identity, fixture);
    assert_non_null(snapshot);
    dns_snapshot_free(snapshot);
    assert_null(snapshot_of(identity, fixture));
    // Gone and back before anybody looked.
    decision_of(fixture, 1)->since_ms++;
    snapshot = snapshot_of(identity, fixture);
    assert_non_null(snapshot);
    dns_snapshot_free(snapshot);
    // Drained within its grace after it was depreferenced: the target stays, what is said does not.
    fixture->core->services[1].intent.kind = INTENT_DRAIN;
    snapshot = snapshot_of(identity, fixture);
    assert_non_null(snapshot);
    assert_int_equal(snapshot->services[1].state, DNS_STATE_DRAINED);
    dns_snapshot_free(snapshot);
    identity_free(identity);
    fixture_free(fixture);
}

TEST(one_change_leaves_the_texts_of_others)
{
    struct fixture *fixture = fixture_new("", FIXTURE_SERVICES RESPONDER);
    struct identity *identity = identity_of(fixture, NULL);
    struct dns_snapshot *first = snapshot_of(identity, fixture);
    decide_target(fixture, 1, TARGET_ANNOUNCE);
    // The clock was set meanwhile.
    struct dns_snapshot *second =
        identity_snapshot(identity, fixture->core, NOW_MS, FIXTURE_WALL_MS + 5000);
    assert_memory_equal(first->services[0].text, second->services[0].text, DNS_STATE_TEXT_MAX);
    assert_memory_not_equal(first->services[1].text, second->services[1].text, DNS_STATE_TEXT_MAX);
    dns_snapshot_free(first);
    dns_snapshot_free(second);
    identity_free(identity);
    fixture_free(fixture);
}

TEST(names_follow_target_and_intent)
{
    static const struct {
        enum intent_kind intent;
        enum target target, allowed;
        enum dns_state state;
        const char *address;
    } cases[] = {
        {INTENT_AUTO, TARGET_ANNOUNCE, TARGET_ANNOUNCE, DNS_STATE_NORMAL, "192.0.2.10"},
        {INTENT_AUTO, TARGET_DEPREFERENCE, TARGET_DEPREFERENCE, DNS_STATE_DEGRADED, "192.0.2.20"},
        {INTENT_AUTO, TARGET_WITHDRAW, TARGET_WITHDRAW, DNS_STATE_WITHDRAWN, "192.0.2.40"},
        {INTENT_DRAIN, TARGET_DEPREFERENCE, TARGET_ANNOUNCE, DNS_STATE_DRAINED, "192.0.2.30"},
        {INTENT_DRAIN, TARGET_WITHDRAW, TARGET_ANNOUNCE, DNS_STATE_DRAINED, "192.0.2.30"},
        {INTENT_DRAIN, TARGET_WITHDRAW, TARGET_DEPREFERENCE, DNS_STATE_DRAINED, "192.0.2.30"},
        {INTENT_DRAIN, TARGET_WITHDRAW, TARGET_WITHDRAW, DNS_STATE_WITHDRAWN, "192.0.2.40"},
        {INTENT_ISOLATE, TARGET_WITHDRAW, TARGET_ANNOUNCE, DNS_STATE_WITHDRAWN, "192.0.2.40"},
        {INTENT_PIN, TARGET_ANNOUNCE, TARGET_WITHDRAW, DNS_STATE_NORMAL, "192.0.2.10"},
    };
    struct fixture *fixture = fixture_new("", FIXTURE_SERVICES RESPONDER ANSWER);
    struct core_service *service = &fixture->core->services[0];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct identity *identity = identity_of(fixture, NULL);
        service->intent.kind = cases[i].intent;
        service->decision.target = cases[i].target;
        service->decision.allowed = cases[i].allowed;
        assert_int_equal(identity_state(service), cases[i].state);
        struct dns_snapshot *snapshot = snapshot_of(identity, fixture);
        assert_string_equal(address_of(snapshot), cases[i].address);
        dns_snapshot_free(snapshot);
        identity_free(identity);
    }
    fixture_free(fixture);
}

TEST(without_a_responder_there_is_nothing_to_say)
{
    struct fixture *fixture = fixture_new("", FIXTURE_SERVICES);
    struct identity *identity = identity_of(fixture, NULL);
    assert_null(snapshot_of(identity, fixture));
    struct responder_conf conf = identity_listen(fixture->config);
    assert_int_equal(conf.listen_count, 0);
    char error[256];
    struct responder *responder = responder_new(NULL, 0);
    assert_non_null(responder);
    assert_int_equal(responder_listen(responder, &conf, error), 0);
    responder_free(responder);
    identity_free(identity);
    fixture_free(fixture);
}

TEST(the_rate_limit_is_whole_however_many_threads_there_are)
{
    struct fixture *fixture =
        fixture_new("", FIXTURE_SERVICES RESPONDER "threads = 3\nrate_limit = 100\n");
    struct identity *identity = identity_of(fixture, NULL);
    struct dns_snapshot *snapshot = snapshot_of(identity, fixture);
    assert_int_equal(snapshot->rate_limit, 100);
    dns_snapshot_free(snapshot);
    identity_free(identity);
    fixture_free(fixture);
}

TEST(listening_is_as_configured)
{
    struct fixture *fixture = fixture_new(
        "", FIXTURE_SERVICES RESPONDER "threads = 3\ntcp_clients = 7\ntcp_clients_per_address = 2\n"
                                       "tcp_idle = 4s\ntcp_max_age = 9s\n");
    struct responder_conf conf = identity_listen(fixture->config);
    assert_int_equal(conf.listen_count, 1);
    assert_int_equal(conf.listen[0].length, sizeof(struct sockaddr_in));
    assert_int_equal(conf.threads, 3);
    assert_int_equal(conf.tcp.clients, 7);
    assert_int_equal(conf.tcp.clients_per_prefix, 2);
    assert_int_equal(conf.tcp.idle_ms, 4000);
    assert_int_equal(conf.tcp.total_ms, 9000);
    fixture_free(fixture);
}

static struct cookie_secrets secrets_of(struct identity *identity, const struct fixture *fixture)
{
    struct dns_snapshot *snapshot = snapshot_of(identity, fixture);
    assert_non_null(snapshot);
    struct cookie_secrets secrets = snapshot->cookies;
    dns_snapshot_free(snapshot);
    return secrets;
}

TEST(a_secret_that_was_made_up_outlives_reloads)
{
    struct fixture *fixture = fixture_new("", FIXTURE_SERVICES RESPONDER);
    struct identity *first = identity_of(fixture, NULL);
    struct identity *second = identity_of(fixture, first);
    struct identity *other = identity_of(fixture, NULL);
    struct cookie_secrets secret = secrets_of(first, fixture);
    struct cookie_secrets kept = secrets_of(second, fixture);
    struct cookie_secrets another = secrets_of(other, fixture);
    assert_memory_equal(&secret, &kept, sizeof secret);
    assert_memory_not_equal(&secret, &another, sizeof secret);
    identity_free(first);
    identity_free(second);
    identity_free(other);
    fixture_free(fixture);
}

TEST(what_was_said_of_a_service_is_said_after_a_reload_too)
{
    struct fixture *fixture = fixture_new("", FIXTURE_SERVICES RESPONDER);
    struct identity *first = identity_of(fixture, NULL);
    struct dns_snapshot *before = snapshot_of(first, fixture);
    struct identity *second = identity_of(fixture, first);
    identity_take_over(second, first);
    identity_free(first);
    // By another clock a state that is written anew would read differently.
    struct dns_snapshot *after =
        identity_snapshot(second, fixture->core, NOW_MS, FIXTURE_WALL_MS + 5000);
    assert_non_null(after);
    assert_int_equal(after->service_count, before->service_count);
    assert_memory_equal(after->services, before->services,
                        before->service_count * sizeof *before->services);
    assert_memory_equal(after->counts, before->counts, sizeof before->counts);
    fixture->core->services[0].decision.since_ms++;
    struct dns_snapshot *changed = snapshot_of(second, fixture);
    assert_non_null(changed); // and follows them
    dns_snapshot_free(before);
    dns_snapshot_free(after);
    dns_snapshot_free(changed);
    identity_free(second);
    fixture_free(fixture);
}

static void write_secrets(const char *path, const char *text, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void assert_refused(const struct fixture *fixture, const struct identity *former,
                           const char *why)
{
    char error[ERROR_MAX] = "";
    assert_null(identity_new(fixture->config, former, error));
    if (strstr(error, why) == NULL) {
        print_message("wanted: %s\ntold: %s\n", why, error);
    }
    assert_non_null(strstr(error, why));
    assert_null(strstr(error, "0011223344"));
}

TEST(secrets_come_from_their_file_at_each_reload)
{
    static const uint8_t first[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    char directory[] = "/tmp/identity-XXXXXX";
    char path[64];
    char text[1024];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/cookies", directory);
    snprintf(text, sizeof text, FIXTURE_SERVICES RESPONDER "cookie_secret_file = %s\n", path);
    struct fixture *fixture = fixture_new("", text);
    assert_refused(fixture, NULL, "No such file");

    write_secrets(path,
                  "# the present one\n00112233445566778899aabbccddeeff\n"
                  "ffffffffffffffffffffffffffffffff\n",
                  0640);
    struct identity *identity = identity_of(fixture, NULL);
    struct cookie_secrets secrets = secrets_of(identity, fixture);
    assert_int_equal(secrets.count, 2);
    assert_memory_equal(secrets.bytes[0], first, sizeof first);

    write_secrets(path, "ffffffffffffffffffffffffffffffff\n", 0600);
    struct identity *next = identity_of(fixture, identity);
    secrets = secrets_of(next, fixture);
    assert_int_equal(secrets.count, 1);
    assert_int_equal(secrets.bytes[0][0], 0xff);

    write_secrets(path, "00112233445566778899aabbccddeeff\n", 0604);
    assert_refused(fixture, next, "others may read it");
    char error[ERROR_MAX];
    assert_int_equal(identity_check_secrets(fixture->config, error), SECRETS_UNREADABLE);
    write_secrets(path, "\n0011223344556677\n", 0600);
    assert_refused(fixture, next, "line 2");
    assert_int_equal(identity_check_secrets(fixture->config, error), SECRETS_WRONG);
    assert_non_null(strstr(error, "line 2"));
    char line[IDENTITY_TEXT_MAX];
    assert_non_null(strstr(identity_text(fixture->config, line), path));
    assert_non_null(strstr(line, "zone pop.example.net., cookie secret"));
    assert_non_null(strstr(line, " on 192.0.2.1:53"));
    write_secrets(path, "# none\n", 0600);
    assert_refused(fixture, next, path);
    identity_free(identity);
    identity_free(next);
    fixture_free(fixture);
    unlink(path);
    rmdir(directory);
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}

TEST(secrets_may_be_a_credential)
{
    char directory[] = "/tmp/identity-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/cookies", directory);
    write_secrets(path, "00112233445566778899aabbccddeeff", 0400);
    struct fixture *fixture =
        fixture_new("", FIXTURE_SERVICES RESPONDER "cookie_secret_credential = cookies\n");
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_refused(fixture, NULL, "LoadCredential=cookies");
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    struct identity *identity = identity_of(fixture, NULL);
    struct cookie_secrets secrets = secrets_of(identity, fixture);
    assert_int_equal(secrets.count, 1);
    assert_int_equal(secrets.bytes[0][15], 0xff);
    identity_free(identity);
    fixture_free(fixture);
    unsetenv("CREDENTIALS_DIRECTORY");
    unlink(path);
    rmdir(directory);
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}
