// The tls and http probes against a real nginx, with every certificate that an operator can get
// wrong, and against servers that misbehave on the wire.
#include "tests/lab/check.h"
#include "tests/lab/pki.h"
#include "tests/lab/service.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S INT64_C(86400)
#define NAME  "dns.example.net"

enum {
    PORT_GOOD = 4401,
    PORT_EXPIRED,
    PORT_EARLY,
    PORT_OTHER_NAME,
    PORT_OTHER_CA,
    PORT_NO_INTERMEDIATE,
    PORT_SELF_SIGNED,
    PORT_OLD_TLS,
    PORT_OCSP,
    PORT_OCSP_STALE,
    PORT_OCSP_REVOKED,
    PORT_OCSP_FORGED,
    PORT_H2,
    PORT_SOON,
    PORT_ADDRESS,
    PORT_OLD_INTERMEDIATE,
    PORT_MUTUAL,
    PORT_HTTP = 8080,
    PORT_RUDE = 9000, // not nginx
};

// One server of nginx's: its certificate chain, and whatever else.
struct site {
    int port;
    struct lab_cert *leaf, *intermediate;
    const char *more; // of its server {} block
};

struct world {
    struct lab_node *node;
    struct lab_process *nginx;
    struct lab_cert *root, *intermediate, *good;
    char conf[16384];
    size_t length;
};

static void append(struct world *world, const char *text)
{
    size_t length = strlen(text);

    assert_true(world->length + length < sizeof world->conf);
    memcpy(world->conf + world->length, text, length + 1);
    world->length += length;
}

static void add_site(struct world *world, const struct site *site)
{
    char text[1024];
    char file[32];

    snprintf(file, sizeof file, "%d.pem", site->port);
    lab_cert_write(world->node, file, LAB_CERTS(site->leaf, site->intermediate));
    snprintf(file, sizeof file, "%d.key", site->port);
    lab_cert_write_key(world->node, file, site->leaf);
    snprintf(text, sizeof text,
             "server { listen 127.0.0.1:%d ssl%s; listen [::1]:%d ssl; ssl_certificate %s/%d.pem;"
             " ssl_certificate_key %s/%d.key; %s\n"
             " location / { return 200 \"fine over TLS\"; } }\n",
             site->port, site->port == PORT_H2 ? " http2" : "", site->port, lab_dir(world->node),
             site->port, lab_dir(world->node), site->port, site->more != NULL ? site->more : "");
    append(world, text);
}

static struct lab_cert *leaf_of(struct lab_cert *issuer, const char *names, int64_t begins_s,
                                int64_t ends_s)
{
    return lab_cert(&(struct lab_cert_options){
        .name = NAME, .names = names, .issuer = issuer, .begins_s = begins_s, .ends_s = ends_s});
}

static struct lab_cert *authority(const char *name, struct lab_cert *issuer, int64_t ends_s)
{
    return lab_cert(&(struct lab_cert_options){.name = name,
                                               .issuer = issuer,
                                               .authority = true,
                                               .begins_s = ends_s != 0 ? -10 * DAY_S : 0,
                                               .ends_s = ends_s});
}

static void add_ocsp_site(struct world *world, int port, const struct lab_ocsp *ocsp)
{
    char file[32];
    char more[256];
    struct lab_cert *leaf = leaf_of(world->intermediate, "DNS:" NAME, 0, 0);

    snprintf(file, sizeof file, "%d.ocsp", port);
    lab_cert_write_ocsp(world->node, file, leaf, ocsp);
    snprintf(more, sizeof more, "ssl_stapling on; ssl_stapling_file %s/%s;", lab_dir(world->node),
             file);
    add_site(world, &(struct site){port, leaf, world->intermediate, more});
}

static void add_plain_site(struct world *world)
{
    append(world, "server { listen 127.0.0.1:8080; root /nonexistent;\n"
                  " location /health { add_header X-Region eu-central; return 200 \"all "
                  "is well, 42 zones\\n\"; }\n"
                  " location /broken { return 503 \"down\"; }\n"
                  " location /empty { return 204; }\n"
                  " location /moved { add_header X-First yes always; return 302 "
                  "http://elsewhere.example.net:8080/health; }\n"
                  " location /loop { return 302 /loop; }\n"
                  " location /to-tls { return 301 https://" NAME ":4401/; }\n"
                  " location /host { return 200 \"$host $http_x_asked\"; }\n"
                  " location /big { return 200 \"");
    for (int i = 0; i < 40; i++) {
        append(world, "0123456789012345678901234567890123456789012345678");
    }
    append(world, "\"; } }\n");
}

// The lab's tests share nothing, so each makes the whole world: it takes some milliseconds.
static struct world make_world(void)
{
    struct world world = {.node = lab_node("web")};
    world.root = authority("Lab Root", NULL, 0);
    world.intermediate = authority("Lab Intermediate", world.root, 0);
    struct lab_cert *other_root = authority("Other Root", NULL, 0);
    struct lab_cert *other = authority("Other Intermediate", other_root, 0);
    struct lab_cert *old = authority("Old Intermediate", world.root, -2 * DAY_S);
    struct lab_cert *ca = world.intermediate;
    const char *names = "DNS:" NAME;
    char mutual[256];

    snprintf(mutual, sizeof mutual, "ssl_verify_client on; ssl_client_certificate %s/ca.pem;",
             lab_dir(world.node));
    world.good = leaf_of(ca, names, 0, 0);
    lab_cert_write(world.node, "ca.pem", LAB_CERTS(world.root));
    lab_write(world.node, "rubbish.pem", "-----BEGIN CERTIFICATE-----\nrubbish\n");
    append(&world, "ssl_protocols TLSv1.2 TLSv1.3;\n");
    struct site sites[] = {
        {PORT_GOOD, world.good, ca,
         "location /in-clear { return 302 http://" NAME ":8080/health; }"},
        {PORT_EXPIRED, leaf_of(ca, names, -9 * DAY_S, -3 * DAY_S - 60), ca, NULL},
        {PORT_EARLY, leaf_of(ca, names, 2 * DAY_S + 60, 9 * DAY_S), ca, NULL},
        {PORT_OTHER_NAME, leaf_of(ca, "DNS:www.example.org, IP:192.0.2.7", 0, 0), ca, NULL},
        {PORT_OTHER_CA, leaf_of(other, names, 0, 0), other, NULL},
        {PORT_NO_INTERMEDIATE, leaf_of(ca, names, 0, 0), NULL, NULL},
        {PORT_SELF_SIGNED, leaf_of(NULL, names, 0, 0), NULL, NULL},
        {PORT_OLD_TLS, leaf_of(ca, names, 0, 0), ca,
         "ssl_protocols TLSv1; ssl_ciphers ALL:@SECLEVEL=0;"},
        {PORT_H2, leaf_of(ca, names, 0, 0), ca, NULL},
        {PORT_SOON, leaf_of(ca, names, -DAY_S, 10 * DAY_S + 60), ca, NULL},
        {PORT_ADDRESS, leaf_of(ca, "IP:127.0.0.1, IP:::1", 0, 0), ca, NULL},
        {PORT_OLD_INTERMEDIATE, leaf_of(old, names, 0, 0), old, NULL},
        {PORT_MUTUAL, leaf_of(ca, names, 0, 0), ca, mutual},
    };
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
        add_site(&world, &sites[i]);
    }
    add_ocsp_site(&world, PORT_OCSP, &(struct lab_ocsp){.begins_s = -60, .ends_s = DAY_S});
    add_ocsp_site(&world, PORT_OCSP_STALE,
                  &(struct lab_ocsp){.begins_s = -3 * DAY_S, .ends_s = -2 * DAY_S - 60});
    add_ocsp_site(
        &world, PORT_OCSP_REVOKED,
        &(struct lab_ocsp){.revoked = true, .begins_s = -4 * DAY_S - 60, .ends_s = DAY_S});
    add_ocsp_site(&world, PORT_OCSP_FORGED,
                  &(struct lab_ocsp){.begins_s = -60, .ends_s = DAY_S, .signer = other});
    add_plain_site(&world);
    world.nginx = lab_nginx_start(world.node, world.conf);
    return world;
}

// One check of the tls probe at a port; more: further keys, each line ended.
static struct verdict tls_check(const struct world *world, int port, const char *more)
{
    char keys[1024];

    snprintf(keys, sizeof keys, "type = tls\ntarget = 127.0.0.1:%d\nca = %s/ca.pem\n%s%s", port,
             lab_dir(world->node), port == PORT_ADDRESS ? "" : "server_name = " NAME "\n", more);
    return lab_check(world->node, keys);
}

static struct verdict http_check(const struct world *world, const char *url, const char *more)
{
    char keys[1024];

    snprintf(keys, sizeof keys, "type = http\nurl = %s\nca = %s/ca.pem\n%s", url,
             lab_dir(world->node), more);
    return lab_check(world->node, keys);
}

#define ASSERT_TLS(world, port, more, kind, code, cause)                                           \
    do {                                                                                           \
        struct verdict verdict = tls_check((world), (port), (more));                               \
        lab_assert_verdict(&verdict, (kind), (code), (cause));                                     \
    } while (0)
#define ASSERT_HTTP(world, url, more, kind, code, cause)                                           \
    do {                                                                                           \
        struct verdict verdict = http_check((world), (url), (more));                               \
        lab_assert_verdict(&verdict, (kind), (code), (cause));                                     \
    } while (0)

// ---- The certificate

LAB_TEST(a_good_handshake_tells_what_it_is)
{
    struct world world = make_world();

    ASSERT_TLS(&world, PORT_GOOD, "", VERDICT_PASS, "ok",
               "TLS handshake with 127.0.0.1:4401 (dns.example.net): TLSv1.3 TLS_");
    ASSERT_TLS(&world, PORT_GOOD, "", VERDICT_PASS, "ok", "(90 days), issuer CN=Lab Intermediate");
    ASSERT_TLS(&world, PORT_ADDRESS, "", VERDICT_PASS, "ok", "(127.0.0.1): TLSv1.3");
    char keys[256];
    snprintf(keys, sizeof keys, "type = tls\ntarget = [::1]:4415\nca = %s/ca.pem\n",
             lab_dir(world.node));
    LAB_CHECK(world.node, VERDICT_PASS, "ok", "with [::1]:4415 (::1): TLSv1.3", keys);
    snprintf(keys, sizeof keys,
             "type = tls\ntarget = 127.0.0.1:4401\nserver_name = " NAME ".\nca = %s/ca.pem\n",
             lab_dir(world.node));
    LAB_CHECK(world.node, VERDICT_PASS, "ok", "TLSv1.3", keys);
    ASSERT_HTTP(&world, "https://[::1]:4415/", "", VERDICT_PASS, "ok", "status 200");
}

LAB_TEST(what_is_wrong_with_a_certificate_is_told)
{
    struct world world = make_world();

    ASSERT_TLS(
        &world, PORT_EXPIRED, "", VERDICT_FAIL, "expired",
        "TLS handshake with 127.0.0.1:4402 (dns.example.net): certificate expired 3 days ago "
        "(CN=dns.example.net, issuer CN=Lab Intermediate)");
    ASSERT_TLS(&world, PORT_EARLY, "", VERDICT_FAIL, "not-yet-valid",
               "certificate not valid yet, only in 2 days (CN=dns.example.net");
    ASSERT_TLS(&world, PORT_OTHER_NAME, "", VERDICT_FAIL, "name",
               "certificate is for www.example.org, 192.0.2.7, not for dns.example.net");
    ASSERT_TLS(&world, PORT_OTHER_CA, "", VERDICT_FAIL, "unknown-ca",
               "unknown CA: CN=Other Root is not among the trusted ones (CN=dns.example.net)");
    ASSERT_TLS(&world, PORT_NO_INTERMEDIATE, "", VERDICT_FAIL, "incomplete-chain",
               "issuer CN=Lab Intermediate not found: the server sends no intermediate");
    ASSERT_TLS(&world, PORT_SELF_SIGNED, "", VERDICT_FAIL, "self-signed",
               "certificate is self-signed (CN=dns.example.net)");
    ASSERT_TLS(&world, PORT_OLD_INTERMEDIATE, "", VERDICT_FAIL, "expired",
               "intermediate certificate expired 2 days ago (CN=Old Intermediate");
}

LAB_TEST(days_left_are_judged_by_both_thresholds)
{
    struct world world = make_world();

    ASSERT_TLS(&world, PORT_SOON, "min_days = 10\n", VERDICT_PASS, "ok", "(10 days)");
    ASSERT_TLS(&world, PORT_SOON, "min_days = 11\n", VERDICT_DEGRADED, "expiring",
               "certificate expires in 10 days");
    ASSERT_TLS(&world, PORT_SOON, "min_days = 30\nfail_days = 11\n", VERDICT_FAIL, "expiring",
               "fail_days is 11");
}

LAB_TEST(a_pin_is_of_the_key)
{
    struct world world = make_world();
    char right[LAB_PIN_MAX];
    char wrong[LAB_PIN_MAX];
    char more[256];

    lab_cert_pin(world.good, right);
    lab_cert_pin(world.root, wrong);
    snprintf(more, sizeof more, "pin = %s %s\n", wrong, right);
    ASSERT_TLS(&world, PORT_GOOD, more, VERDICT_PASS, "ok", "TLSv1.3");
    snprintf(more, sizeof more, "pin = %s\n", wrong);
    ASSERT_TLS(&world, PORT_GOOD, more, VERDICT_FAIL, "pin", right);
}

LAB_TEST(a_stapled_response_is_required_and_judged)
{
    struct world world = make_world();
    const char *require = "ocsp = require\n";

    ASSERT_TLS(&world, PORT_OCSP, require, VERDICT_PASS, "ok", "TLSv1.3");
    ASSERT_TLS(&world, PORT_GOOD, require, VERDICT_FAIL, "ocsp", "no stapled OCSP response");
    ASSERT_TLS(&world, PORT_OCSP_STALE, require, VERDICT_FAIL, "ocsp",
               "stale: the next was due 2 days ago");
    ASSERT_TLS(&world, PORT_OCSP_REVOKED, require, VERDICT_FAIL, "revoked",
               "certificate revoked 4 days ago, says the OCSP response (keyCompromise)");
    ASSERT_TLS(&world, PORT_OCSP_FORGED, require, VERDICT_FAIL, "ocsp",
               "not signed by the certificate's issuer");
    ASSERT_TLS(&world, PORT_OCSP_REVOKED, "", VERDICT_PASS, "ok", "TLSv1.3");
}

// ---- Our own certificate

// Keys that name the files of one; empty when cert is NULL.
static const char *show(const struct world *world, const char *name, struct lab_cert *cert,
                        char out[512])
{
    char file[32];
    char path[LAB_PATH_MAX];

    out[0] = '\0';
    if (cert != NULL) {
        snprintf(file, sizeof file, "%s.pem", name);
        lab_cert_write(world->node, file, LAB_CERTS(cert));
        snprintf(file, sizeof file, "%s.key", name);
        lab_cert_write_key(world->node, file, cert);
        assert_int_equal(chmod(lab_path(world->node, file, path), 0600), 0);
        snprintf(out, 512, "client_cert = %s/%s.pem\nclient_key = %s/%s.key\n",
                 lab_dir(world->node), name, lab_dir(world->node), name);
    }
    return out;
}

// nginx takes any certificate in the handshake, and refuses in HTTP.
LAB_TEST(a_server_that_wants_a_client_certificate_is_shown_one)
{
    struct world world = make_world();
    struct lab_cert *right = leaf_of(world.root, NULL, 0, 0);
    struct lab_cert *wrong = leaf_of(authority("Other Root", NULL, 0), NULL, 0, 0);
    struct lab_cert *expired = leaf_of(world.root, NULL, -9 * DAY_S, -3 * DAY_S - 60);
    const char *url = "https://" NAME "/";
    char keys[512];
    char more[640];
    static const char target[] = "target = 127.0.0.1:4417\n";

    snprintf(more, sizeof more, "%s%s", target, show(&world, "right", right, keys));
    ASSERT_HTTP(&world, url, more, VERDICT_PASS, "ok", "status 200, 13 bytes");
    ASSERT_TLS(&world, PORT_MUTUAL, keys, VERDICT_PASS, "ok", "TLSv1.3");
    ASSERT_HTTP(&world, url, target, VERDICT_FAIL, "status",
                "status 400, expected 200-299; the server asked for a client certificate, and no "
                "client_cert is configured");
    snprintf(more, sizeof more, "%s%s", target, show(&world, "wrong", wrong, keys));
    ASSERT_HTTP(&world, url, more, VERDICT_FAIL, "status",
                "status 400, expected 200-299; the server asked for a client certificate: it was "
                "shown /");
    snprintf(more, sizeof more, "%s%s", target, show(&world, "expired", expired, keys));
    ASSERT_HTTP(&world, url, more, VERDICT_UNKNOWN, "client-cert",
                "client_cert expired 3 days ago (CN=dns.example.net");
    ASSERT_TLS(&world, PORT_MUTUAL, keys, VERDICT_UNKNOWN, "client-cert", "expired 3 days ago");
}

// ---- The handshake

LAB_TEST(an_old_version_is_refused_unless_allowed)
{
    struct world world = make_world();

    ASSERT_TLS(&world, PORT_OLD_TLS, "", VERDICT_FAIL, "version",
               "the server does not speak TLS 1.2 or later");
    ASSERT_TLS(&world, PORT_OLD_TLS, "min_version = 1.0\n", VERDICT_PASS, "ok", "TLSv1.0");
    ASSERT_TLS(&world, PORT_GOOD, "min_version = 1.3\n", VERDICT_PASS, "ok", "TLSv1.3");
}

LAB_TEST(an_application_protocol_is_negotiated_or_it_fails)
{
    struct world world = make_world();

    ASSERT_TLS(&world, PORT_H2, "alpn = h2 http/1.1\n", VERDICT_PASS, "ok", "TLSv1.3");
    ASSERT_TLS(&world, PORT_H2, "alpn = dot\n", VERDICT_FAIL, "alpn", "ALPN protocols dot");
}

// What times out here is given long enough for a busy machine to say what came before.
LAB_TEST(rude_servers_are_told_apart)
{
    struct world world = make_world();
    struct lab_tcp_server *rude =
        lab_tcp_server_start(world.node, "127.0.0.1", PORT_RUDE, LAB_TCP_SILENT,
                             "220 mail.example.net ESMTP and a line that is long enough\r\n");

    ASSERT_TLS(&world, PORT_RUDE, "timeout = 2s\n", VERDICT_FAIL, "timeout",
               "no TLS handshake with 127.0.0.1:9000 (dns.example.net) within 2000ms");
    lab_tcp_server_set(rude, LAB_TCP_RESET_ON_READ);
    ASSERT_TLS(&world, PORT_RUDE, "", VERDICT_FAIL, "reset", "the connection was reset");
    lab_tcp_server_set(rude, LAB_TCP_RESET);
    ASSERT_TLS(&world, PORT_RUDE, "", VERDICT_FAIL, "reset", "the connection was reset");
    lab_tcp_server_set(rude, LAB_TCP_CLOSE);
    ASSERT_TLS(&world, PORT_RUDE, "", VERDICT_FAIL, "closed", "closed the connection");
    lab_tcp_server_set(rude, LAB_TCP_GREET);
    ASSERT_TLS(&world, PORT_RUDE, "", VERDICT_FAIL, "not-tls", "does not speak TLS");
    ASSERT_TLS(&world, PORT_HTTP, "", VERDICT_FAIL, "not-tls", "does not speak TLS");
    ASSERT_TLS(&world, PORT_RUDE + 1, "", VERDICT_FAIL, "refused",
               "connect to 127.0.0.1:9001: nothing listens there (connection refused)");
    lab_tcp_server_set(rude, LAB_TCP_GREET);
    ASSERT_TLS(&world, PORT_RUDE, "starttls = smtp\ntimeout = 2s\n", VERDICT_FAIL, "timeout",
               "no STARTTLS offer of 127.0.0.1:9000");
}

// ---- STARTTLS

// A mail server's first words, for one connection; then the bytes of a real TLS server.
struct mail_server {
    const char *greeting;
    const char *replies[3]; // to one line of the client's each; TAG is its first word
    int listener, behind;
};

static bool copy_bytes(int from, int to)
{
    char bytes[4096];
    ssize_t got = recv(from, bytes, sizeof bytes, 0);

    return got > 0 && send(to, bytes, (size_t)got, MSG_NOSIGNAL) == got;
}

static void carry(int client, int behind)
{
    struct pollfd polled[] = {{.fd = client, .events = POLLIN}, {.fd = behind, .events = POLLIN}};

    while (poll(polled, 2, -1) > 0) {
        if ((polled[0].revents != 0 && !copy_bytes(client, behind)) ||
            (polled[1].revents != 0 && !copy_bytes(behind, client))) {
            return;
        }
    }
}

static void send_reply(int client, const char *reply)
{
    char line[256] = "";
    char text[512];

    (void)recv(client, line, sizeof line - 1, 0);
    line[strcspn(line, " \r")] = '\0';
    const char *tag = strstr(reply, "TAG");
    size_t before = tag != NULL ? (size_t)(tag - reply) : strlen(reply);
    snprintf(text, sizeof text, "%.*s%s%s", (int)before, reply, tag != NULL ? line : "",
             tag != NULL ? tag + 3 : "");
    (void)send(client, text, strlen(text), MSG_NOSIGNAL);
}

static void *serve_mail(void *arg)
{
    const struct mail_server *server = arg;
    struct sockaddr_in behind = {.sin_family = AF_INET,
                                 .sin_port = htons(PORT_GOOD),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

    (void)send(client, server->greeting, strlen(server->greeting), MSG_NOSIGNAL);
    for (size_t i = 0; i < 3 && server->replies[i] != NULL; i++) {
        send_reply(client, server->replies[i]);
    }
    if (connect(server->behind, (const struct sockaddr *)&behind, sizeof behind) == 0) {
        carry(client, server->behind);
    }
    close(client);
    return NULL;
}

static void assert_starttls(const struct world *world, struct mail_server *server,
                            const char *protocol, enum verdict_kind kind, const char *code,
                            const char *cause)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(PORT_RUDE),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    char more[64];
    pthread_t thread;

    server->listener = lab_socket(world->node, AF_INET, SOCK_STREAM);
    server->behind = lab_socket(world->node, AF_INET, SOCK_STREAM);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(server->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve_mail, server), 0);
    snprintf(more, sizeof more, "starttls = %s\n", protocol);
    struct verdict verdict = tls_check(world, PORT_RUDE, more);
    pthread_join(thread, NULL);
    close(server->listener);
    close(server->behind);
    lab_assert_verdict(&verdict, kind, code, cause);
}

LAB_TEST(tls_is_asked_for_in_the_words_of_mail)
{
    struct world world = make_world();

    assert_starttls(
        &world,
        &(struct mail_server){.greeting = "220 lab ESMTP\r\n",
                              .replies = {"250-lab\r\n250 STARTTLS\r\n", "220 go ahead\r\n"}},
        "smtp", VERDICT_PASS, "ok", "TLSv1.3");
    assert_starttls(
        &world,
        &(struct mail_server){
            .greeting = "* OK lab\r\n",
            .replies = {"* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK done\r\n", "TAG OK begin\r\n"}},
        "imap", VERDICT_PASS, "ok", "TLSv1.3");
    assert_starttls(
        &world, &(struct mail_server){.greeting = "220 lab ESMTP\r\n", .replies = {"250 lab\r\n"}},
        "smtp", VERDICT_FAIL, "starttls", "does not offer STARTTLS");
}

// ---- Ourselves

LAB_TEST(trouble_of_our_own_is_no_evidence)
{
    struct world world = make_world();

    ASSERT_TLS(&world, PORT_GOOD, "source = 192.0.2.77\n", VERDICT_UNKNOWN, "local",
               "connect to 127.0.0.1:4401: address not available");
    char keys[512];
    snprintf(keys, sizeof keys, "type = tls\ntarget = 127.0.0.1:4401\nca = %s/nothing.pem\n",
             lab_dir(world.node));
    LAB_CHECK(world.node, VERDICT_UNKNOWN, "ca", "No such file or directory", keys);
    snprintf(keys, sizeof keys, "type = tls\ntarget = 127.0.0.1:4401\nca = %s/rubbish.pem\n",
             lab_dir(world.node));
    LAB_CHECK(world.node, VERDICT_UNKNOWN, "ca", "no PEM certificates in it", keys);
}

// Leaves one descriptor, which the lab takes when it goes back into the node.
static void take_descriptors(void *arg, size_t i)
{
    const struct rlimit *limit = arg;

    if (i == 1) {
        int next = dup(STDIN_FILENO);
        struct rlimit few = {.rlim_cur = (rlim_t)next + 1, .rlim_max = limit->rlim_max};

        assert_true(next >= 0);
        close(next);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    } else if (i == 2) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, limit), 0);
    }
}

LAB_TEST(no_descriptors_are_no_evidence_and_pass)
{
    struct world world = make_world();
    struct rlimit limit;
    struct verdict verdicts[3];
    char keys[512];

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    snprintf(keys, sizeof keys,
             "type = tls\ntarget = 127.0.0.1:4401\nserver_name = " NAME "\nca = %s/ca.pem\n",
             lab_dir(world.node));
    lab_check_times(world.node, keys, 3, take_descriptors, &limit, verdicts);
    lab_assert_verdict(&verdicts[0], VERDICT_PASS, "ok", "TLSv1.3");
    lab_assert_verdict(&verdicts[1], VERDICT_UNKNOWN, "local", "too many open files");
    lab_assert_verdict(&verdicts[2], VERDICT_PASS, "ok", "TLSv1.3");
}

// The store is read once, and again when the file has changed.
static void replace_ca(void *arg, size_t i)
{
    const struct world *world = arg;

    if (i == 1) {
        lab_cert_write(world->node, "new.pem", LAB_CERTS(world->good));
    } else if (i == 2) {
        lab_cert_write(world->node, "new.pem", LAB_CERTS(world->good, world->root));
    }
}

LAB_TEST(a_replaced_ca_file_is_read_anew)
{
    struct world world = make_world();
    struct verdict verdicts[3];
    char keys[512];

    lab_cert_write(world.node, "new.pem", LAB_CERTS(world.root));
    snprintf(keys, sizeof keys,
             "type = tls\ntarget = 127.0.0.1:4401\nserver_name = " NAME "\nca = %s/new.pem\n",
             lab_dir(world.node));
    lab_check_times(world.node, keys, 3, replace_ca, &world, verdicts);
    lab_assert_verdict(&verdicts[0], VERDICT_PASS, "ok", "TLSv1.3");
    lab_assert_verdict(&verdicts[1], VERDICT_FAIL, "unknown-ca", "unknown CA");
    lab_assert_verdict(&verdicts[2], VERDICT_PASS, "ok", "TLSv1.3");
}

// ---- Http

#define HEALTH "http://127.0.0.1:8080/health"

LAB_TEST(an_answer_is_judged_by_status_header_and_body)
{
    struct world world = make_world();

    ASSERT_HTTP(&world, HEALTH, "", VERDICT_PASS, "ok",
                "GET http://127.0.0.1:8080/health at 127.0.0.1:8080: status 200, 22 bytes");
    ASSERT_HTTP(&world, HEALTH, "method = HEAD\n", VERDICT_PASS, "ok", "HEAD http:");
    ASSERT_HTTP(&world, HEALTH,
                "expect_header = X-Region: eu-central Server: nginx\nbody_contains = is well\n"
                "body_regex = ^all .*, [0-9]+ zones$\n",
                VERDICT_PASS, "ok", "status 200");
    ASSERT_HTTP(&world, HEALTH, "expect_header = X-Region: eu-west\n", VERDICT_FAIL, "header",
                "no header with \"X-Region: eu-west\", but \"X-Region: ");
    ASSERT_HTTP(&world, HEALTH, "body_contains = is ill\n", VERDICT_FAIL, "body",
                "no \"is ill\" in the body: \"all is well, 42 zones.\"");
    ASSERT_HTTP(&world, HEALTH, "body_regex = [a-z]+ zones\n", VERDICT_FAIL, "body",
                "does not match [a-z]+ zones");
    ASSERT_HTTP(&world, "http://127.0.0.1:8080/broken", "", VERDICT_FAIL, "status",
                "status 503, expected 200-299");
    ASSERT_HTTP(&world, "http://127.0.0.1:8080/broken", "status = 200 503\n", VERDICT_PASS, "ok",
                "status 503");
    ASSERT_HTTP(&world, "http://127.0.0.1:8080/empty", "", VERDICT_PASS, "ok",
                "status 204, 0 bytes");
    ASSERT_HTTP(&world, "http://pop.example.net:8080/host",
                "target = 127.0.0.1:8080\nheader = X-Asked: two words\n"
                "body_contains = pop.example.net two words\n",
                VERDICT_PASS, "ok", "at 127.0.0.1:8080");
}

LAB_TEST(a_redirect_is_an_answer_unless_followed)
{
    struct world world = make_world();
    const char *follow = "follow_redirects = on\n";

    ASSERT_HTTP(&world, "http://127.0.0.1:8080/moved", "", VERDICT_FAIL, "status",
                "status 302 to http://elsewhere.example.net:8080/health, expected 200-299");
    ASSERT_HTTP(&world, "http://127.0.0.1:8080/moved", follow, VERDICT_PASS, "ok", "22 bytes");
    ASSERT_HTTP(&world, "http://127.0.0.1:8080/moved",
                "follow_redirects = on\nexpect_header = X-First: yes\n", VERDICT_FAIL, "header",
                "no header with \"X-First: yes\"");
    ASSERT_HTTP(&world, "http://127.0.0.1:8080/loop", follow, VERDICT_FAIL, "redirect",
                "too many redirects");
    ASSERT_HTTP(&world, "http://127.0.0.1:8080/to-tls", follow, VERDICT_PASS, "ok", "13 bytes");
}

LAB_TEST(what_was_asked_over_tls_is_not_asked_again_in_clear)
{
    struct world world = make_world();

    ASSERT_HTTP(&world, "https://" NAME "/in-clear",
                "target = 127.0.0.1:4401\nfollow_redirects = on\nheader = X-Key: secret\n",
                VERDICT_FAIL, "redirect", "from https: only https: is");
}

LAB_TEST(an_answer_has_a_largest_size)
{
    struct world world = make_world();

    ASSERT_HTTP(&world, "http://127.0.0.1:8080/big", "max_body = 1960\n", VERDICT_PASS, "ok",
                "1960 bytes");
    ASSERT_HTTP(&world, "http://127.0.0.1:8080/big", "max_body = 1959\n", VERDICT_FAIL, "too-large",
                "body larger than 1959 bytes");
}

LAB_TEST(http_over_tls_is_judged_as_tls_is)
{
    struct world world = make_world();

    ASSERT_HTTP(&world, "https://" NAME "/", "target = 127.0.0.1:4401\n", VERDICT_PASS, "ok",
                "status 200, 13 bytes");
    ASSERT_HTTP(&world, "https://" NAME "/", "target = 127.0.0.1:4402\n", VERDICT_FAIL, "expired",
                "TLS handshake with 127.0.0.1:4402 (dns.example.net): certificate expired 3 days");
    ASSERT_HTTP(&world, "https://" NAME "./", "target = 127.0.0.1:4401\n", VERDICT_PASS, "ok",
                "status 200, 13 bytes");
    ASSERT_HTTP(&world, "https://127.0.0.1:4401/", "", VERDICT_FAIL, "name",
                "certificate is for dns.example.net, not for 127.0.0.1");
    ASSERT_HTTP(&world, "https://" NAME "/", "target = 127.0.0.1:4414\nmin_days = 20\n",
                VERDICT_DEGRADED, "expiring", "certificate expires in 10 days");
}

LAB_TEST(a_rude_http_server_is_told_apart)
{
    struct world world = make_world();
    struct lab_tcp_server *rude =
        lab_tcp_server_start(world.node, "127.0.0.1", PORT_RUDE, LAB_TCP_GREET,
                             "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow");
    const char *url = "http://127.0.0.1:9000/";

    ASSERT_HTTP(&world, url, "timeout = 2s\n", VERDICT_FAIL, "timeout",
                "(4 bytes of its body came) within 2000ms");
    lab_tcp_server_set(rude, LAB_TCP_SILENT);
    ASSERT_HTTP(&world, url, "timeout = 2s\n", VERDICT_FAIL, "timeout",
                "no answer to GET http://127.0.0.1:9000/ at 127.0.0.1:9000 within");
    lab_tcp_server_set(rude, LAB_TCP_RESET_ON_READ);
    ASSERT_HTTP(&world, url, "", VERDICT_FAIL, "reset", "the connection was reset");
    lab_tcp_server_set(rude, LAB_TCP_ECHO);
    ASSERT_HTTP(&world, url, "", VERDICT_FAIL, "protocol", "HTTP/0.9");
    lab_tcp_server_set(rude, LAB_TCP_CLOSE);
    ASSERT_HTTP(&world, url, "", VERDICT_FAIL, "closed", "");
    ASSERT_HTTP(&world, "http://127.0.0.1:9001/", "", VERDICT_FAIL, "refused",
                "connect to 127.0.0.1:9001: nothing listens there");
}
