// Asking DNS servers, and reading what they say: see dns.h.
#include "tests/lab/dns.h"

#include "dns/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EDNS_SIZE 1232

// ---- A query

static void write_opt(struct dns_writer *writer, const struct lab_query *query)
{
    dns_write_bytes(writer, "", 1); // the root
    dns_write_u16(writer, DNS_OPT);
    dns_write_u16(writer, query->edns_size != 0 ? query->edns_size : EDNS_SIZE);
    dns_write_u16(writer, query->edns_version);
    dns_write_u16(writer, query->edns_flags);
    dns_write_u16(writer, (uint16_t)query->options.length);
    dns_write_bytes(writer, query->options.at, query->options.length);
    writer->counts[DNS_ADDITIONAL]++;
}

// RFC 8945 section 4.2.
static void write_tsig(struct dns_writer *writer, uint16_t id)
{
    static const uint8_t mac[32];
    struct dns_name key, algorithm;

    (void)dns_name_parse("nobody.has.this", &key);
    (void)dns_name_parse("hmac-sha256", &algorithm);
    dns_record_begin(writer, DNS_ADDITIONAL, &key, DNS_TSIG, DNS_CLASS_ANY, 0);
    dns_write_name(writer, &algorithm);
    dns_write_bytes(writer, "\x00\x00\x65\x53\xf1\x00\x01\x2c", 8);
    dns_write_u16(writer, sizeof mac);
    dns_write_bytes(writer, mac, sizeof mac);
    dns_write_u16(writer, id);
    dns_write_bytes(writer, "\0\0\0\0", 4); // no error, no other data
    dns_record_end(writer);
}

size_t lab_query_write(const struct lab_query *query, uint16_t id, uint8_t out[LAB_QUERY_MAX])
{
    struct dns_writer writer;
    struct dns_question question = {
        .type = query->type != 0 ? query->type : DNS_A,
        .class = query->class != 0 ? query->class : DNS_CLASS_IN,
    };

    dns_write_begin(&writer, out, LAB_QUERY_MAX, id, query->flags);
    if (query->name != NULL) {
        const char *wrong = dns_name_parse(query->name, &question.name);
        if (wrong != NULL) {
            lab_fail("make a query for %s: %s", query->name, wrong);
        }
        dns_write_question(&writer, &question);
    }
    if (query->edns) {
        write_opt(&writer, query);
    }
    if (query->tsig) {
        write_tsig(&writer, id);
    }
    if (query->tail.length > 0) {
        dns_write_bytes(&writer, query->tail.at, query->tail.length);
    }
    size_t length = dns_write_end(&writer);
    if (length == 0) {
        lab_fail("make a query for %s: it is longer than %d bytes", query->name, LAB_QUERY_MAX);
    }
    return length;
}

// ---- An answer

static const char *read_opt(const uint8_t *message, const struct dns_record *record,
                            struct lab_answer *out)
{
    struct dns_reader options;

    if (out->has_edns) {
        return "a second OPT record";
    }
    out->has_edns = dns_read_edns(message, record, &out->edns, &options);
    if (!out->has_edns) {
        return "a malformed OPT record";
    }
    while (out->option_count < LAB_OPTIONS_MAX &&
           dns_read_option(&options, &out->options[out->option_count])) {
        out->option_count++;
    }
    out->rcode |= (uint16_t)(out->edns.rcode_high << 4);
    return NULL;
}

static const char *class_text(uint16_t class)
{
    return class == DNS_CLASS_IN ? "IN" : class == DNS_CLASS_CH ? "CH" : "?";
}

// Appends the record's text at *used.
static const char *keep_record(const uint8_t *message, const struct dns_record *record,
                               enum dns_section section, struct lab_answer *out, size_t *used)
{
    char owner[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
    char *text = out->texts + *used;
    size_t room = sizeof out->texts - *used;

    if (out->record_count == LAB_RECORDS_MAX) {
        return "more records than a test should ask for";
    }
    int head = snprintf(text, room, "%s %u %s %s ", dns_name_text(&record->owner, owner),
                        record->ttl, class_text(record->class), dns_type_text(record->type, type));
    if ((size_t)head >= room ||
        !dns_rdata_text(message, record, text + head, room - (size_t)head)) {
        return "records longer than a test should ask for";
    }
    *used += strlen(text) + 1;
    out->records[out->record_count++] = (struct lab_record){
        .section = section,
        .type = record->type,
        .ttl = record->ttl,
        .text = text,
        .rdata = text + head,
    };
    out->counts[section]++;
    return NULL;
}

static int compare_records(const void *a, const void *b)
{
    const struct lab_record *left = a, *right = b;

    return left->section != right->section ? (int)left->section - (int)right->section
                                           : strcmp(left->text, right->text);
}

static const char *read_section(struct dns_reader *reader, enum dns_section section,
                                struct lab_answer *out, size_t *used)
{
    struct dns_record record;
    const char *wrong = NULL;

    for (uint16_t i = 0; i < out->header.counts[section] && wrong == NULL; i++) {
        if (!dns_read_record(reader, &record)) {
            return "a record that can't be read";
        }
        if (record.type != DNS_OPT) {
            wrong = keep_record(reader->message, &record, section, out, used);
        } else if (section == DNS_ADDITIONAL) {
            wrong = read_opt(reader->message, &record, out);
        } else {
            wrong = "an OPT record outside of the additional section";
        }
    }
    return wrong;
}

const char *lab_answer_read(const uint8_t *message, size_t length, struct lab_answer *out)
{
    struct dns_reader reader = {.message = message, .end = length};
    size_t used = 0;
    const char *wrong = NULL;

    memset(out, 0, offsetof(struct lab_answer, texts));
    if (!dns_read_header(&reader, &out->header)) {
        return "shorter than a header";
    }
    out->rcode = out->header.flags & DNS_RCODE_MASK;
    if (out->header.counts[DNS_QUESTION] > 1) {
        return "more than one question";
    }
    out->has_question = out->header.counts[DNS_QUESTION] == 1;
    if (out->has_question && !dns_read_question(&reader, &out->question)) {
        return "a question that can't be read";
    }
    for (enum dns_section i = DNS_ANSWER; i < DNS_SECTIONS && wrong == NULL; i++) {
        wrong = read_section(&reader, i, out, &used);
    }
    qsort(out->records, out->record_count, sizeof *out->records, compare_records);
    return wrong != NULL ? wrong : reader.offset != length ? "bytes after the last record" : NULL;
}

const struct dns_option *lab_answer_option(const struct lab_answer *answer, uint16_t code)
{
    for (size_t i = 0; i < answer->option_count; i++) {
        if (answer->options[i].code == code) {
            return &answer->options[i];
        }
    }
    return NULL;
}

const char *lab_answer_rdata(const struct lab_answer *answer, enum dns_section section,
                             uint16_t type, char out[LAB_RDATA_MAX])
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct lab_record *record = &answer->records[i];

        if (record->section == section && (type == 0 || record->type == type) &&
            used < LAB_RDATA_MAX) {
            used += (size_t)snprintf(out + used, LAB_RDATA_MAX - used, "%s%s", used > 0 ? " " : "",
                                     record->rdata);
        }
    }
    return out;
}

static void tell_flags(FILE *stream, uint16_t flags)
{
    static const struct {
        uint16_t flag;
        const char *name;
    } names[] = {{DNS_QR, "qr"}, {DNS_AA, "aa"}, {DNS_TC, "tc"}, {DNS_RD, "rd"},
                 {DNS_RA, "ra"}, {0x40, "z"},    {DNS_AD, "ad"}, {DNS_CD, "cd"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (flags & names[i].flag) {
            fprintf(stream, " %s", names[i].name);
        }
    }
    if (flags & DNS_OPCODE_MASK) {
        fprintf(stream, " opcode %d", (flags & DNS_OPCODE_MASK) >> 11);
    }
}

const char *lab_answer_text(const struct lab_answer *answer, char out[LAB_ANSWER_TEXT_MAX])
{
    static const char *const sections[] = {"question", "answer", "authority", "additional"};
    char name[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
    FILE *stream = fmemopen(out, LAB_ANSWER_TEXT_MAX, "w");

    if (stream == NULL) {
        lab_fail("out of memory");
    }
    setvbuf(stream, NULL, _IONBF, 0);
    fprintf(stream, "%s", dns_rcode_text(answer->rcode, type));
    tell_flags(stream, answer->header.flags);
    if (answer->has_question) {
        fprintf(stream, "\n  question: %s %s %s", dns_name_text(&answer->question.name, name),
                class_text(answer->question.class), dns_type_text(answer->question.type, type));
    }
    for (size_t i = 0; i < answer->record_count; i++) {
        fprintf(stream, "\n  %s: %s", sections[answer->records[i].section],
                answer->records[i].text);
    }
    if (answer->has_edns) {
        fprintf(stream, "\n  EDNS version %u, %u bytes%s", answer->edns.version,
                answer->edns.udp_size, answer->edns.dnssec_ok ? ", do" : "");
    }
    for (size_t i = 0; i < answer->option_count; i++) {
        fprintf(stream, "\n  option %u, %u bytes", answer->options[i].code,
                answer->options[i].length);
    }
    fclose(stream);
    return out;
}

// ---- Asking

static socklen_t parse_address(const char *address, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof *v6;
    }
    fprintf(stderr, "lab: %s is no address\n", address);
    abort();
}

// -1 and errno.
static int connected_socket(const struct lab_server *server)
{
    struct sockaddr_storage address, source;
    socklen_t length =
        parse_address(server->address, server->port != 0 ? server->port : 53, &address);
    int fd = socket(address.ss_family, (server->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (server->source != NULL &&
        bind(fd, (struct sockaddr *)&source, parse_address(server->source, 0, &source)) != 0) {
        goto err;
    }
    if (connect(fd, (struct sockaddr *)&address, length) != 0) {
        goto err;
    }
    return fd;
err:
    close(fd);
    return -1;
}

struct lab_client lab_client_open(const struct lab_server *server)
{
    lab_enter(server->from);
    int fd = connected_socket(server);
    int error = errno;
    lab_leave();

    if (fd < 0) {
        lab_fail("reach %s over %s from node %s: %s", server->address, server->tcp ? "TCP" : "UDP",
                 lab_name(server->from), strerror(error));
    }
    return (struct lab_client){.fd = fd, .tcp = server->tcp};
}

void lab_client_close(struct lab_client *client)
{
    close(client->fd);
    client->fd = -1;
}

bool lab_client_send(const struct lab_client *client, const uint8_t *message, size_t length)
{
    uint8_t framed[2 + DNS_MESSAGE_MAX] = {(uint8_t)(length >> 8), (uint8_t)length};

    if (!client->tcp) {
        return send(client->fd, message, length, MSG_NOSIGNAL) == (ssize_t)length;
    }
    memcpy(framed + 2, message, length);
    return send(client->fd, framed, length + 2, MSG_NOSIGNAL) == (ssize_t)(length + 2);
}

static bool wait_readable(int fd, uint64_t deadline_ns)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    uint64_t now_ns = lab_now_ns();

    return poll(&readable, 1,
                now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / 1000000 + 1) : 0) == 1;
}

static bool receive_all(int fd, uint8_t *out, size_t length, uint64_t deadline_ns)
{
    for (size_t have = 0; have < length;) {
        ssize_t got = wait_readable(fd, deadline_ns) ? recv(fd, out + have, length - have, 0) : -1;

        if (got <= 0) {
            return false;
        }
        have += (size_t)got;
    }
    return true;
}

size_t lab_client_receive(const struct lab_client *client, uint64_t wait_ms,
                          uint8_t out[DNS_MESSAGE_MAX])
{
    uint64_t deadline_ns = lab_now_ns() + wait_ms * 1000000;
    uint8_t prefix[2];

    if (!client->tcp) {
        ssize_t got =
            wait_readable(client->fd, deadline_ns) ? recv(client->fd, out, DNS_MESSAGE_MAX, 0) : -1;
        return got > 0 ? (size_t)got : 0;
    }
    if (!receive_all(client->fd, prefix, 2, deadline_ns)) {
        return 0;
    }
    size_t length = (size_t)prefix[0] << 8 | prefix[1];
    return receive_all(client->fd, out, length, deadline_ns) ? length : 0;
}

size_t lab_exchange(const struct lab_server *server, const uint8_t *query, size_t length,
                    uint8_t out[DNS_MESSAGE_MAX])
{
    struct lab_client client = lab_client_open(server);
    size_t got =
        lab_client_send(&client, query, length) ? lab_client_receive(&client, LAB_DNS_MS, out) : 0;

    lab_client_close(&client);
    return got;
}

const struct lab_answer *lab_ask(const struct lab_server *server, const struct lab_query *query)
{
    static struct lab_answer answer;
    static uint8_t message[DNS_MESSAGE_MAX];
    static uint16_t id;
    uint8_t bytes[LAB_QUERY_MAX];
    size_t asked = lab_query_write(query, ++id, bytes);
    size_t length = lab_exchange(server, bytes, asked, message);

    if (length == 0) {
        lab_fail("ask %s for %s over %s: no answer", server->address, query->name,
                 server->tcp ? "TCP" : "UDP");
    }
    const char *wrong = lab_answer_read(message, length, &answer);
    if (wrong != NULL || answer.header.id != id) {
        lab_fail("ask %s for %s: the answer has %s", server->address, query->name,
                 wrong != NULL ? wrong : "another id");
    }
    return &answer;
}

const char *lab_ask_text(const struct lab_server *server, const char *name, uint16_t type)
{
    static char text[LAB_RDATA_MAX];
    const struct lab_answer *answer =
        lab_ask(server, &(struct lab_query){.name = name, .type = type});

    if (answer->rcode != DNS_NOERROR) {
        return dns_rcode_text(answer->rcode, text);
    }
    return answer->counts[DNS_ANSWER] == 0 ? "NODATA"
                                           : lab_answer_rdata(answer, DNS_ANSWER, 0, text);
}

bool lab_answers(const struct lab_server *server, const struct lab_query *query)
{
    static uint8_t message[DNS_MESSAGE_MAX];
    uint8_t bytes[LAB_QUERY_MAX];
    size_t length = lab_query_write(query, 1, bytes);

    lab_enter(server->from);
    struct lab_client client = {.fd = connected_socket(server), .tcp = server->tcp};
    lab_leave();
    if (client.fd < 0) {
        return false;
    }
    bool answered =
        lab_client_send(&client, bytes, length) && lab_client_receive(&client, 100, message) > 0;
    lab_client_close(&client);
    return answered;
}
