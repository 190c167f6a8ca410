// Mutual TLS: a server of OpenSSL's that lets in only who has a certificate of its authority, and
// probes that have the right one, none, a wrong one, or one that is no good.
#include "tests/unit/issued.h"
#include "tests/unit/own_directory.h"
#include "tests/unit/probe_fixture.h"
#include "tests/unit/tls_server.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#define NAME "dns.example.net"

static struct fixture fixture;
static struct tls_server server;
static struct issued root, server_leaf, right, wrong, expired, brief;

// ---- The files

static void write_cert(const char *name, const struct issued *issued)
{
    FILE *file = create(name);
    assert_int_equal(PEM_write_X509(file, issued->x509), 1);
    assert_int_equal(fclose(file), 0);
}

static void write_key(const char *name, const struct issued *issued, const char *passphrase)
{
    FILE *file = create(name);
    size_t length = passphrase != NULL ? strlen(passphrase) : 0;
    assert_int_equal(
        PEM_write_PrivateKey(file, issued->key, passphrase != NULL ? EVP_aes_128_cbc() : NULL,
                             (const unsigned char *)passphrase, (int)length, NULL, NULL),
        1);
    assert_int_equal(fclose(file), 0);
}

static struct issued issue_between(int64_t begins_s, int64_t ends_s)
{
    struct issued made = issue("popgate", NULL, &root);
    issued_time(&made, begins_s, ends_s);
    assert_true(X509_sign(made.x509, root.key, EVP_sha256()) > 0);
    return made;
}

static int make_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    root = issue("Root", NULL, NULL);
    struct issued other = issue("Other root", NULL, NULL);
    server_leaf = issue("server", "DNS:" NAME, &root);
    right = issue("popgate", NULL, &root);
    wrong = issue("stranger", NULL, &other);
    expired = issue_between(-9 * DAY_S, -3 * DAY_S - 60);
    brief = issue_between(-80 * DAY_S, 5 * DAY_S + 60);
    issued_drop(&other);
    return 0;
}

static int remove_files(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", directory);
    struct issued *all[] = {&root, &server_leaf, &right, &wrong, &expired, &brief};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        issued_drop(all[i]);
    }
    return system(command); // NOLINT(cert-env33-c)
}

TEST_GROUP(make_files, remove_files);

// Each test begins with what is right.
static int set_up(void **state)
{
    (void)state;
    write_cert("ca.pem", &root);
    write_cert("cert.pem", &right);
    write_key("key.pem", &right, NULL);
    return 0;
}

TEST_FIXTURE(set_up, NULL);

// ---- The probe

static void set_file(const char *key, const char *name)
{
    fixture_set(&fixture, key, path_of(name));
}

static void set_pair(void)
{
    set_file("client_cert", "cert.pem");
    set_file("client_key", "key.pem");
}

static void set_url(const char *key)
{
    char url[64];
    snprintf(url, sizeof url, "https://" NAME ":%u/", server.port);
    fixture_set(&fixture, key, url);
}

static void begin(const char *type, int version, size_t tickets)
{
    tls_server_begin(&server, &server_leaf, &root, version, tickets);
    fixture_open(&fixture, type);
    fixture_target(&fixture, "127.0.0.1", server.port);
    set_file("ca", "ca.pem");
    if (strcmp(type, "tls") == 0) {
        fixture_set(&fixture, "server_name", NAME);
    } else if (strcmp(type, "http") == 0) {
        set_url("url");
    } else {
        FILE *secret = create("secret");
        assert_true(fputs("s3cret\n", secret) > 0);
        assert_int_equal(fclose(secret), 0);
        fixture_set(&fixture, "client_id", "probe");
        set_file("secret_file", "secret");
        set_url("token_url");
        set_url("protected_url");
    }
}

static void assert_ends_with(size_t verdicts, enum verdict_kind kind, const char *code,
                             const char *cause)
{
    assert_verdict(fixture_run(&fixture, verdicts), kind, code, cause);
    tls_server_end(&server);
    fixture_close(&fixture);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static const char *const types[] = {"tls", "http", "token"};

TEST(a_server_that_lets_in_only_whom_it_knows_lets_in_who_shows_the_right_certificate)
{
    for (size_t i = 0; i < 2; i++) {
        for (size_t type = 0; type < 3; type++) {
            begin(types[type], versions[i], 2);
            set_pair();
            assert_ends_with(1, VERDICT_PASS, "ok", "");
        }
    }
}

TEST(without_a_certificate_it_fails_and_says_what_is_missing)
{
    for (size_t i = 0; i < 2; i++) {
        for (size_t type = 0; type < 3; type++) {
            begin(types[type], versions[i], 2);
            assert_ends_with(1, VERDICT_FAIL, "client-cert",
                             "the server wants a client certificate, and no client_cert is "
                             "configured: alert ");
        }
    }
}

TEST(the_refusal_of_a_certificate_is_a_failure_that_says_so)
{
    write_cert("cert.pem", &wrong);
    write_key("key.pem", &wrong, NULL);
    for (size_t i = 0; i < 2; i++) {
        for (size_t type = 0; type < 3; type++) {
            begin(types[type], versions[i], 2);
            set_pair();
            assert_ends_with(1, VERDICT_FAIL, "client-cert",
                             "the server refuses client_cert /tmp/");
        }
    }
}

// A server that keeps no sessions says nothing to who has finished: it ends when we do.
TEST(a_server_that_sends_no_ticket_takes_a_certificate_by_not_refusing_it)
{
    begin("tls", TLS1_3_VERSION, 0);
    set_pair();
    assert_ends_with(2, VERDICT_PASS, "ok", "TLSv1.3");
    begin("tls", TLS1_3_VERSION, 0);
    assert_ends_with(2, VERDICT_FAIL, "client-cert", "alert 116, certificate required");
}

// ---- STARTTLS

static const struct {
    const char *name, *clear[4], *answer;
} starttls[] = {
    {"smtp", {"220 x ESMTP\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n"}, "250 x\r\n"},
    {"imap",
     {"* OK x\r\n", "* CAPABILITY IMAP4rev1 STARTTLS\r\n@ OK x\r\n", "@ OK x\r\n"},
     "* CAPABILITY IMAP4rev1\r\n@ OK x\r\n"},
};

static void begin_starttls(size_t which, int version, size_t tickets)
{
    server.clear = starttls[which].clear;
    server.answer = starttls[which].answer;
    begin("tls", version, tickets);
    fixture_set(&fixture, "starttls", starttls[which].name);
}

TEST(after_starttls_the_right_certificate_is_let_in)
{
    for (size_t i = 0; i < 8; i++) {
        begin_starttls(i % 2, versions[i / 2 % 2], i < 4 ? 2 : 0);
        set_pair();
        assert_ends_with(2, VERDICT_PASS, "ok", "TLSv1.");
    }
}

TEST(after_starttls_a_refused_certificate_is_a_failure_that_says_so)
{
    write_cert("cert.pem", &wrong);
    write_key("key.pem", &wrong, NULL);
    for (size_t i = 0; i < 8; i++) {
        begin_starttls(i % 2, versions[i / 2 % 2], i < 4 ? 2 : 0);
        set_pair();
        assert_ends_with(2, VERDICT_FAIL, "client-cert", "the server refuses client_cert /tmp/");
    }
}

TEST(after_starttls_the_want_of_a_certificate_is_a_failure_that_says_so)
{
    for (size_t i = 0; i < 8; i++) {
        begin_starttls(i % 2, versions[i / 2 % 2], i < 4 ? 2 : 0);
        assert_ends_with(2, VERDICT_FAIL, "client-cert",
                         "the server wants a client certificate, and no client_cert is configured");
    }
}

// Nobody asked it to end, as a bare handshake does: that it says nothing is no consent.
TEST(who_hangs_up_after_starttls_when_it_has_seen_the_certificate_has_not_let_it_in)
{
    for (size_t i = 0; i < 2; i++) {
        server.hangs_up = true;
        begin_starttls(i, TLS1_3_VERSION, 0);
        set_pair();
        assert_ends_with(2, VERDICT_FAIL, "closed",
                         "ended the connection without another word; the server asked for a "
                         "client certificate: it was shown /tmp/");
    }
}

// ---- Our own trouble

static void assert_unknown(const char *cause)
{
    begin("tls", TLS1_3_VERSION, 2);
    set_pair();
    assert_verdict(fixture_run(&fixture, 1), VERDICT_UNKNOWN, "client-cert", cause);
    assert_int_equal(server.accepted, 0);
    tls_server_end(&server);
    fixture_close(&fixture);
}

TEST(a_certificate_that_cannot_be_used_is_our_own_trouble)
{
    write_key("key.pem", &wrong, NULL);
    assert_unknown("key.pem is not the key of client_cert");
    write_key("key.pem", &right, "passphrase");
    assert_unknown("it is encrypted, and popgated has no passphrase");
    write_cert("key.pem", &right);
    assert_unknown("no private key in PEM in it");
    assert_int_equal(unlink(path_of("key.pem")), 0);
    assert_unknown("read client_key /tmp/");
    write_key("key.pem", &right, NULL);
    assert_int_equal(chmod(path_of("key.pem"), 0644), 0);
    assert_unknown("others may read it; chmod o= it");
    assert_int_equal(chmod(path_of("key.pem"), 0600), 0);
    write_key("cert.pem", &right, NULL);
    assert_unknown("no PEM certificate in it");
    assert_int_equal(unlink(path_of("cert.pem")), 0);
    assert_unknown("No such file or directory");
    assert_int_equal(mkfifo(path_of("cert.pem"), 0600), 0);
    assert_unknown("it is not a regular file");
    assert_int_equal(unlink(path_of("cert.pem")), 0);
}

TEST(a_chain_that_is_damaged_is_our_own_trouble)
{
    FILE *file = create("cert.pem");
    assert_int_equal(PEM_write_X509(file, right.x509), 1);
    assert_true(fputs("-----BEGIN CERTIFICATE-----\nMIIB\n", file) > 0);
    assert_int_equal(fclose(file), 0);
    assert_unknown("what follows its first certificate can't be read");
}

TEST(an_expired_certificate_is_our_own_trouble)
{
    write_cert("cert.pem", &expired);
    write_key("key.pem", &expired, NULL);
    assert_unknown("client_cert expired 3 days ago (CN=popgate, issuer CN=Root)");
}

static void put_right_files(void)
{
    write_cert("cert.new", &right);
    write_key("key.new", &right, NULL);
    (void)rename(path_of("cert.new"), path_of("cert.pem"));
    (void)rename(path_of("key.new"), path_of("key.pem"));
}

TEST(a_replaced_certificate_is_read_anew)
{
    write_cert("cert.pem", &wrong);
    write_key("key.pem", &wrong, NULL);
    server.on_refused = put_right_files;
    begin("tls", TLS1_2_VERSION, 2);
    set_pair();
    assert_verdict(fixture_run(&fixture, 2), VERDICT_PASS, "ok", "TLSv1.2");
    assert_verdict(&fixture.verdicts[0], VERDICT_FAIL, "client-cert", "refuses client_cert");
    tls_server_end(&server);
    fixture_close(&fixture);
}

static atomic_bool text_was_wiped;

// This program's own, which comes before the library's.
void OPENSSL_cleanse(void *bytes, size_t length)
{
    bool key = length > 0 && memmem(bytes, length, "BEGIN PRIVATE", 13) != NULL;
    bool whole = key && memmem(bytes, length, "END CERTIFICATE", 15) != NULL;
    text_was_wiped = text_was_wiped || whole;
    if (length > 0) {
        explicit_bzero(bytes, length);
    }
}

TEST(certificate_and_key_may_stand_in_one_file)
{
    text_was_wiped = false;
    FILE *file = create("both.pem");
    assert_int_equal(PEM_write_PrivateKey(file, right.key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(PEM_write_X509(file, right.x509), 1);
    assert_int_equal(fclose(file), 0);
    begin("tls", TLS1_3_VERSION, 2);
    set_file("client_cert", "both.pem");
    set_file("client_key", "both.pem");
    assert_ends_with(1, VERDICT_PASS, "ok", "TLSv1.3");
    assert_true(text_was_wiped);
}

// As much as a certificate and its chain may be.
TEST(a_key_may_have_much_beside_it)
{
    FILE *file = create("both.pem");
    for (size_t i = 0; i < 4000; i++) {
        assert_true(fputs("of a certificate: what openssl x509 -text says\n", file) > 0);
    }
    assert_int_equal(PEM_write_PrivateKey(file, right.key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(PEM_write_X509(file, right.x509), 1);
    assert_int_equal(fclose(file), 0);
    begin("tls", TLS1_3_VERSION, 2);
    set_file("client_cert", "both.pem");
    set_file("client_key", "both.pem");
    assert_ends_with(1, VERDICT_PASS, "ok", "TLSv1.3");
}

// ---- The configuration

struct heard {
    unsigned errors, warnings;
    char text[ERROR_MAX]; // the last
};

static void hear(void *arg, bool error, const char *text)
{
    struct heard *heard = arg;
    heard->errors += error;
    heard->warnings += !error;
    snprintf(heard->text, sizeof heard->text, "%s", text);
}

static struct heard check_with(const char *cert, const char *key)
{
    struct heard heard = {0};
    struct probe_problems problems = {hear, &heard};
    fixture_open(&fixture, "tls");
    fixture_set(&fixture, "timeout", "500ms");
    fixture_target(&fixture, "127.0.0.1", 443);
    if (cert[0]) {
        fixture_set(&fixture, "client_cert", cert);
    }
    if (key[0]) {
        fixture_set(&fixture, "client_key", key);
    }
    probe_check(&fixture.conf, &problems);
    fixture_close(&fixture);
    return heard;
}

static void assert_heard(struct heard heard, unsigned errors, unsigned warnings, const char *part)
{
    if (heard.errors != errors || heard.warnings != warnings || strstr(heard.text, part) == NULL) {
        fail_msg("%u errors, %u warnings, the last: %s", heard.errors, heard.warnings, heard.text);
    }
}

TEST(a_certificate_and_its_key_go_together)
{
    assert_heard(check_with(path_of("cert.pem"), path_of("key.pem")), 0, 0, "");
    assert_heard(check_with(path_of("cert.pem"), ""), 1, 0,
                 "client_key is missing: client_cert is of no use without it");
    assert_heard(check_with("", path_of("key.pem")), 1, 0, "client_cert is missing");
    assert_heard(check_with("cert.pem", path_of("key.pem")), 1, 0, "must be an absolute path");
}

TEST(what_is_wrong_with_the_files_is_warned_of_when_they_are_configured)
{
    write_key("key.pem", &wrong, NULL);
    assert_heard(check_with(path_of("cert.pem"), path_of("key.pem")), 0, 1, "is not the key of");
    assert_heard(check_with(path_of("none.pem"), path_of("key.pem")), 0, 1,
                 "No such file or directory");
    write_cert("cert.pem", &expired);
    write_key("key.pem", &expired, NULL);
    assert_heard(check_with(path_of("cert.pem"), path_of("key.pem")), 0, 1, "expired 3 days ago");
    write_cert("cert.pem", &brief);
    write_key("key.pem", &brief, NULL);
    assert_heard(check_with(path_of("cert.pem"), path_of("key.pem")), 0, 1, "expires in 5 days");
}

TEST(a_certificate_is_of_no_use_where_nothing_is_encrypted)
{
    struct heard heard = {0};
    struct probe_problems problems = {hear, &heard};
    fixture_open(&fixture, "http");
    fixture_set(&fixture, "timeout", "500ms");
    fixture_set(&fixture, "url", "http://192.0.2.1/");
    set_pair();
    probe_check(&fixture.conf, &problems);
    assert_heard(heard, 0, 1, "client_cert is of no use with http: nothing is encrypted");
    fixture_close(&fixture);
}
