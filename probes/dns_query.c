// Queries and judgements of `dns` probes, see probes/dns_query.h.
#include "probes/dns_query.h"

#include "base/bytes.h"
#include "base/text.h"
#include "dns/text.h"

#include "base/random.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define UDP_SIZE        1232 // fits into any IPv6 path's packet (DNS flag day 2020)
#define RANDOM_MARK     "{random}"
#define RANDOM_DIGITS   12
#define RDATA_TEXT_MAX  2048
#define SHOWN_TEXTS_MAX 160
#define ANSWERS_MAX     1000 // as many as min_answers may ask for

static const uint16_t classes[] = {DNS_CLASS_IN, DNS_CLASS_CH};
static const char *const class_names[] = {"IN", "CH", NULL};
static const char *const protocol_names[] = {"udp", "tcp", "both", NULL};
static const char *const flag_names[] = {"any", "yes", "no", NULL};

// ---- Keys

static int parse_qtype(const char *value, void *field, char error[ERROR_MAX])
{
    if (!dns_type_parse(value, field)) {
        return error_say(
            error,
            "\"%.40s\" is not a record type; write A, AAAA, NS, SOA, TXT ... or TYPE with a "
            "number",
            value);
    }
    return 0;
}

static int parse_rcodes(const char *value, void *field, char error[ERROR_MAX])
{
    struct dns_rcodes rcodes = *(struct dns_rcodes *)field;
    char word[64];
    for (const char *rest = value; text_next_word(&rest, word, sizeof word);) {
        if (rcodes.count == DNS_RCODES_MAX) {
            return error_say(error, "more than %d response codes", DNS_RCODES_MAX);
        }
        if (!dns_rcode_parse(word, &rcodes.codes[rcodes.count++])) {
            return error_say(
                error,
                "\"%s\" is not a response code; write NOERROR, NXDOMAIN, REFUSED ... or RCODE "
                "with a number",
                word);
        }
    }
    *(struct dns_rcodes *)field = rcodes;
    return 0;
}

static int parse_words(const char *value, void *field, char error[ERROR_MAX])
{
    char *words = field;
    size_t size = sizeof((struct dns_options *)0)->answer_one_of;
    size_t length = strlen(words);
    if (length + 1 + strlen(value) >= size) {
        return error_say(error, "all words together are longer than %zu bytes", size - 2);
    }
    snprintf(words + length, size - length, "%s%s", length ? " " : "", value);
    return 0;
}

static int parse_least(const char *value, void *field, char error[ERROR_MAX])
{
    struct dns_least *least = field;
    char *end;
    unsigned long answers = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end != '\0' || answers > ANSWERS_MAX) {
        return error_say(error, "\"%.40s\" is not a number from 0 to %d", value, ANSWERS_MAX);
    }
    *least = (struct dns_least){.given = true, .answers = answers};
    return 0;
}

#define FIELD(member) .offset = offsetof(struct dns_options, member)
#define TEXT(member)  FIELD(member), .size = sizeof((struct dns_options *)0)->member

const struct key dns_keys[] = {
    {.name = "protocol",
     .kind = KEY_CHOICE,
     FIELD(protocol),
     .choices = protocol_names,
     .fallback = "udp"},
    {.name = "qname", .kind = KEY_WORD, TEXT(qname), .required = true},
    {.name = "qtype", .kind = KEY_CUSTOM, FIELD(qtype), .parse = parse_qtype, .fallback = "A"},
    {.name = "class", .kind = KEY_CHOICE, FIELD(class), .choices = class_names, .fallback = "IN"},
    {.name = "rcode", .kind = KEY_CUSTOM, FIELD(rcodes), .parse = parse_rcodes, .list = true},
    {.name = "answer", .kind = KEY_STRING, TEXT(answer), .quotes = true},
    {.name = "answer_contains", .kind = KEY_STRING, TEXT(answer_contains), .quotes = true},
    {.name = "answer_one_of",
     .kind = KEY_CUSTOM,
     FIELD(answer_one_of),
     .parse = parse_words,
     .list = true},
    {.name = "min_answers", .kind = KEY_CUSTOM, FIELD(least), .parse = parse_least},
    {.name = "aa", .kind = KEY_CHOICE, FIELD(aa), .choices = flag_names, .fallback = "any"},
    {.name = "ad", .kind = KEY_CHOICE, FIELD(ad), .choices = flag_names, .fallback = "any"},
    {.name = "nsid", .kind = KEY_STRING, TEXT(nsid)},
    {.name = "edns", .kind = KEY_BOOL, FIELD(edns), .fallback = "yes"},
    {.name = "cookie", .kind = KEY_BOOL, FIELD(cookie), .fallback = "yes"},
    {.name = "dnssec_ok", .kind = KEY_BOOL, FIELD(dnssec_ok), .fallback = "no"},
    {.name = "mixed_case", .kind = KEY_BOOL, FIELD(mixed_case), .fallback = "yes"},
    {.name = "recursion_desired", .kind = KEY_BOOL, FIELD(recursion_desired), .fallback = "yes"},
    KEY_END,
};

// The qname with each {random} replaced by random, cut at the end of out.
static void expand_qname(const char *qname, const char *random, char out[DNS_NAME_TEXT_MAX])
{
    size_t length = 0;
    while (*qname && length < DNS_NAME_TEXT_MAX - 1) {
        bool mark = strncmp(qname, RANDOM_MARK, strlen(RANDOM_MARK)) == 0;
        int wrote = snprintf(out + length, DNS_NAME_TEXT_MAX - length, "%.*s", mark ? -1 : 1,
                             mark ? random : qname);
        length += (size_t)wrote;
        qname += mark ? strlen(RANDOM_MARK) : 1;
    }
    out[length < DNS_NAME_TEXT_MAX ? length : DNS_NAME_TEXT_MAX - 1] = '\0';
}

static int family_of(uint16_t type)
{
    return type == DNS_A ? AF_INET : type == DNS_AAAA ? AF_INET6 : AF_UNSPEC;
}

static void check_address(const char *text, uint16_t qtype, const struct probe_problems *problems)
{
    uint8_t address[16];
    int family = family_of(qtype);
    if (family != AF_UNSPEC && inet_pton(family, text, address) != 1) {
        probe_problem(problems, true, "expected answer \"%.60s\" is not an %s address", text,
                      family == AF_INET ? "IPv4" : "IPv6");
    }
}

static bool expects_noerror(const struct dns_options *options)
{
    bool found = options->rcodes.count == 0;
    for (size_t i = 0; i < options->rcodes.count; i++) {
        found |= options->rcodes.codes[i] == DNS_NOERROR;
    }
    return found;
}

// How many answers there must be.
static uint64_t least_answers(const struct dns_options *options)
{
    bool others = false;
    for (size_t i = 0; i < options->rcodes.count; i++) {
        others |= options->rcodes.codes[i] != DNS_NOERROR;
    }
    return options->least.given ? options->least.answers : others ? 0 : 1;
}

static void check_answers(const struct dns_options *options, const struct probe_problems *problems)
{
    char word[sizeof options->answer_one_of];
    if (options->answer[0]) {
        check_address(options->answer, options->qtype, problems);
    }
    for (const char *rest = options->answer_one_of; text_next_word(&rest, word, sizeof word);) {
        check_address(word, options->qtype, problems);
    }
    if ((options->answer[0] || options->answer_one_of[0]) && !expects_noerror(options)) {
        probe_problem(problems, false, "an answer is expected, but rcode lacks NOERROR");
    }
}

void dns_options_check(const struct probe_conf *conf, const struct probe_problems *problems)
{
    const struct dns_options *options = conf->options;
    struct dns_name name;
    char qname[DNS_NAME_TEXT_MAX];
    expand_qname(options->qname, "000000000000", qname);
    const char *problem = dns_name_parse(qname, &name);
    if (problem != NULL) {
        probe_problem(problems, true, "qname \"%.100s\": %s", options->qname, problem);
    }
    if (options->qtype == DNS_OPT) {
        probe_problem(problems, true, "qtype OPT can't be asked for");
    }
    if (!options->edns && (options->nsid[0] || options->dnssec_ok)) {
        probe_problem(problems, true, "%s needs edns = yes",
                      options->nsid[0] ? "nsid" : "dnssec_ok");
    }
    check_answers(options, problems);
}

// ---- The query

const char *dns_query_text(const struct dns_options *options, char out[DNS_QUERY_TEXT_MAX])
{
    char type[DNS_TYPE_TEXT_MAX];
    snprintf(out, DNS_QUERY_TEXT_MAX, "%.120s %s %s", options->qname, class_names[options->class],
             dns_type_text(options->qtype, type));
    return out;
}

// Letter case that a forger would have to guess too (draft-vixie-dnsext-dns0x20).
static void randomize_case(struct dns_name *name)
{
    uint8_t bits[DNS_NAME_MAX / 8 + 1];
    random_bytes(bits, sizeof bits);
    for (uint8_t *label = name->wire; *label; label += 1 + *label) {
        for (size_t i = 1; i <= *label; i++) {
            size_t at = (size_t)(label - name->wire) + i;
            if (isalpha(label[i]) && (bits[at / 8] >> (at % 8) & 1)) {
                label[i] ^= 0x20;
            }
        }
    }
}

static void make_question(const struct dns_options *options, struct dns_question *out)
{
    char random[RANDOM_DIGITS + 1];
    char qname[DNS_NAME_TEXT_MAX];
    snprintf(random, sizeof random, "%012llx",
             (unsigned long long)random_upto((1ull << (4 * RANDOM_DIGITS)) - 1));
    expand_qname(options->qname, random, qname);
    const char *problem = dns_name_parse(qname, &out->name);
    assert(!problem); // dns_options_check() tried a name of the same form
    (void)problem;
    if (options->mixed_case) {
        randomize_case(&out->name);
    }
    out->type = options->qtype;
    out->class = classes[options->class];
}

void dns_cookie_make(struct dns_cookie *out)
{
    out->length = DNS_CLIENT_COOKIE;
    random_bytes(out->bytes, out->length);
}

void dns_query_make(const struct dns_options *options, const struct dns_cookie *cookie,
                    struct dns_query *out)
{
    struct dns_writer writer;
    uint16_t flags = options->recursion_desired ? DNS_RD : 0;
    // A query with AD asks for the answer's (RFC 6840 section 5.7).
    flags |= options->ad == DNS_FLAG_ANY ? 0 : DNS_AD;
    random_bytes(&out->id, sizeof out->id);
    make_question(options, &out->question);
    out->cookie = options->edns && options->cookie ? *cookie : (struct dns_cookie){.length = 0};
    dns_write_begin(&writer, out->message, sizeof out->message, out->id, flags);
    dns_write_question(&writer, &out->question);
    if (options->edns) {
        dns_opt_begin(&writer,
                      &(struct dns_edns){.udp_size = UDP_SIZE, .dnssec_ok = options->dnssec_ok});
        if (options->nsid[0]) {
            dns_write_option(&writer, DNS_OPTION_NSID, NULL, 0);
        }
        if (out->cookie.length > 0) {
            dns_write_option(&writer, DNS_OPTION_COOKIE, out->cookie.bytes, out->cookie.length);
        }
        dns_record_end(&writer);
    }
    out->length = dns_write_end(&writer);
    assert(out->length > 0);
}

// ---- The judgement

// What an answer says, as far as it matters here.
struct reply {
    struct dns_header header;
    uint16_t rcode; // the extended one
    bool has_nsid, has_cookie;
    struct dns_option nsid, cookie; // the first of each
    size_t answers;                 // of the right type and class
    bool has_answer, has_contained, has_one_of;
    char texts[SHOWN_TEXTS_MAX]; // the answers, as many as fit
};

__attribute__((format(printf, 4, 5))) static bool judge(struct dns_judgement *out,
                                                        enum dns_judgement_kind kind,
                                                        const char *code, const char *cause, ...)
{
    va_list arguments;
    out->kind = kind;
    snprintf(out->code, sizeof out->code, "%s", code);
    va_start(arguments, cause);
    vsnprintf(out->cause, sizeof out->cause, cause, arguments);
    va_end(arguments);
    return false;
}

// Types whose text has names or hex digits in it, where case means nothing.
static bool ignores_case(uint16_t type)
{
    static const uint16_t types[] = {DNS_NS, DNS_CNAME, DNS_SOA, DNS_PTR, DNS_MX, DNS_SRV, DNS_DS};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i] == type) {
            return true;
        }
    }
    return false;
}

// An answer in all the forms in which an operator may have written it.
struct answer {
    uint16_t type;
    const uint8_t *rdata;
    size_t rdata_length;
    char text[RDATA_TEXT_MAX];    // as dig +short prints it
    char content[RDATA_TEXT_MAX]; // TXT: its strings, joined; else as text
};

static bool same_answer(const struct answer *answer, const char *wanted)
{
    uint8_t address[16];
    int family = family_of(answer->type);
    if (family != AF_UNSPEC && inet_pton(family, wanted, address) == 1) {
        // In another class than IN, such a record may be of any length.
        size_t size = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
        return answer->rdata_length == size && memcmp(address, answer->rdata, size) == 0;
    }
    if (!ignores_case(answer->type)) {
        return strcmp(answer->text, wanted) == 0 || strcmp(answer->content, wanted) == 0;
    }
    size_t length = strlen(wanted);
    return strncasecmp(answer->text, wanted, length) == 0 &&
           (answer->text[length] == '\0' || strcmp(answer->text + length, ".") == 0);
}

static bool same_as_one(const struct answer *answer, const char *words)
{
    char word[sizeof((struct dns_options *)0)->answer_one_of];
    for (const char *rest = words; text_next_word(&rest, word, sizeof word);) {
        if (same_answer(answer, word)) {
            return true;
        }
    }
    return false;
}

static void read_answer(const uint8_t *message, const struct dns_record *record, struct answer *out)
{
    uint8_t content[UINT16_MAX];
    out->type = record->type;
    out->rdata = message + record->rdata;
    out->rdata_length = record->rdata_length;
    (void)dns_rdata_text(message, record, out->text, sizeof out->text);
    size_t length = dns_txt_bytes(message, record, content);
    if (record->type == DNS_TXT && length < sizeof out->content) {
        memcpy(out->content, content, length);
        out->content[length] = '\0';
    } else {
        memcpy(out->content, out->text, strlen(out->text) + 1);
    }
}

static void take_answer(const struct dns_options *options, const struct answer *answer,
                        struct reply *reply)
{
    size_t shown = strlen(reply->texts);
    reply->has_answer |= same_answer(answer, options->answer);
    reply->has_one_of |= same_as_one(answer, options->answer_one_of);
    reply->has_contained |= strstr(answer->text, options->answer_contains) != NULL ||
                            strstr(answer->content, options->answer_contains) != NULL;
    snprintf(reply->texts + shown, sizeof reply->texts - shown, "%s%s", shown ? ", " : "",
             answer->text);
}

static bool take_edns(struct dns_reader *reader, struct reply *reply)
{
    struct dns_record record;
    struct dns_edns edns;
    struct dns_reader options;
    struct dns_option option;
    if (!dns_read_record(reader, &record) ||
        !dns_read_edns(reader->message, &record, &edns, &options)) {
        return false;
    }
    reply->rcode = (uint16_t)(edns.rcode_high << 4 | reply->rcode);
    while (dns_read_option(&options, &option)) {
        if (option.code == DNS_OPTION_NSID) {
            reply->has_nsid = true;
            reply->nsid = option;
        } else if (option.code == DNS_OPTION_COOKIE && !reply->has_cookie) {
            reply->has_cookie = true;
            reply->cookie = option;
        }
    }
    return true;
}

// What EDNS says: the first OPT record of the additional section, found without a look at the
// records before it. False if there is one that can't be read.
static bool read_edns(struct dns_reader reader, struct reply *reply)
{
    const uint16_t *counts = reply->header.counts;
    unsigned before = counts[DNS_ANSWER] + counts[DNS_AUTHORITY];
    uint16_t type = 0;
    for (unsigned i = 0; i < before + counts[DNS_ADDITIONAL]; i++) {
        struct dns_reader here = reader;
        if (!dns_skip_record(&reader, &type)) {
            return false;
        }
        if (i >= before && type == DNS_OPT) {
            return take_edns(&here, reply);
        }
    }
    return true;
}

// Reads what follows the question; false if it is malformed.
static bool read_records(const struct dns_options *options, const struct dns_query *query,
                         struct dns_reader *reader, struct reply *reply)
{
    struct dns_record record;
    struct answer answer;
    for (enum dns_section section = DNS_ANSWER; section < DNS_SECTIONS; section++) {
        for (unsigned i = 0; i < reply->header.counts[section]; i++) {
            if (!dns_read_record(reader, &record)) {
                return false;
            }
            bool asked = record.class == query->question.class &&
                         (record.type == query->question.type || query->question.type == DNS_ANY);
            if (section == DNS_ANSWER && asked && ++reply->answers <= ANSWERS_MAX) {
                read_answer(reader->message, &record, &answer);
                take_answer(options, &answer, reply);
            }
        }
    }
    return true;
}

static bool judge_rcode(const struct dns_options *options, const struct reply *reply,
                        struct dns_judgement *out)
{
    char expected[DNS_RCODES_MAX * (DNS_TYPE_TEXT_MAX + 4)] = "NOERROR";
    char text[DNS_TYPE_TEXT_MAX];
    size_t length = 0;
    bool matched = options->rcodes.count == 0 && reply->rcode == DNS_NOERROR;
    for (size_t i = 0; i < options->rcodes.count; i++) {
        matched |= options->rcodes.codes[i] == reply->rcode;
        length += (size_t)snprintf(expected + length, sizeof expected - length, "%s%s",
                                   i ? " or " : "", dns_rcode_text(options->rcodes.codes[i], text));
    }
    return matched || judge(out, DNS_WRONG, "rcode", "rcode %s, expected %s",
                            dns_rcode_text(reply->rcode, text), expected);
}

static bool judge_flag(const char *name, int wanted, bool set, struct dns_judgement *out)
{
    if (wanted == DNS_FLAG_ANY || (wanted == DNS_FLAG_YES) == set) {
        return true;
    }
    return judge(out, DNS_WRONG, "flags", "the %s flag is %s, expected it %s", name,
                 set ? "set" : "clear", set ? "clear" : "set");
}

static bool judge_nsid(const struct dns_options *options, const struct reply *reply,
                       struct dns_judgement *out)
{
    char shown[64];
    size_t length = reply->nsid.length;
    if (!options->nsid[0]) {
        return true;
    }
    if (!reply->has_nsid) {
        return judge(out, DNS_WRONG, "nsid", "no NSID, expected \"%s\"", options->nsid);
    }
    if (length == strlen(options->nsid) && memcmp(reply->nsid.bytes, options->nsid, length) == 0) {
        return true;
    }
    length = length < sizeof shown - 1 ? length : sizeof shown - 1;
    for (size_t i = 0; i < length; i++) {
        shown[i] = isprint(reply->nsid.bytes[i]) ? (char)reply->nsid.bytes[i] : '.';
    }
    shown[length] = '\0';
    return judge(out, DNS_WRONG, "nsid", "NSID \"%s\", expected \"%s\"", shown, options->nsid);
}

static bool judge_answers(const struct dns_options *options, const struct reply *reply,
                          struct dns_judgement *out)
{
    const char *texts = reply->answers ? reply->texts : "none";
    if (reply->answers > ANSWERS_MAX) {
        return judge(out, DNS_WRONG, "answer", "%zu answers, more than %d are not looked at",
                     reply->answers, ANSWERS_MAX);
    }
    if (options->answer[0] && !reply->has_answer) {
        return judge(out, DNS_WRONG, "answer", "expected answer %.80s, got %s", options->answer,
                     texts);
    }
    if (options->answer_contains[0] && !reply->has_contained) {
        return judge(out, DNS_WRONG, "answer", "expected an answer with \"%.80s\" in it, got %s",
                     options->answer_contains, texts);
    }
    if (options->answer_one_of[0] && !reply->has_one_of) {
        return judge(out, DNS_WRONG, "answer", "expected one of %.80s, got %s",
                     options->answer_one_of, texts);
    }
    if (reply->answers < least_answers(options)) {
        return judge(out, DNS_WRONG, "answer", "%zu answer%s, expected at least %llu",
                     reply->answers, reply->answers == 1 ? "" : "s",
                     (unsigned long long)least_answers(options));
    }
    return true;
}

// A cookie that does not begin with ours is of an answer to somebody else (RFC 7873 section 5.3). A
// server that gives none may know of none.
static bool judge_cookie(const struct dns_query *query, const struct reply *reply,
                         struct dns_judgement *out)
{
    const struct dns_option *given = &reply->cookie;
    if (!reply->has_cookie || query->cookie.length == 0) {
        return true;
    }
    if (given->length < DNS_CLIENT_COOKIE ||
        memcmp(given->bytes, query->cookie.bytes, DNS_CLIENT_COOKIE) != 0) {
        return judge(out, DNS_FORGED, "malformed", "another cookie");
    }
    if (given->length >= DNS_CLIENT_COOKIE + DNS_SERVER_COOKIE_MIN &&
        given->length <= sizeof out->cookie.bytes) {
        memcpy(out->cookie.bytes, given->bytes, given->length);
        out->cookie.length = given->length;
    }
    return true;
}

// Whether the message answers the query at all; reader is left behind the question. A server that
// understood nothing of the query may leave the question out (RFC 1035 section 4.1.1, FORMERR).
static bool read_question(const struct dns_options *options, const struct dns_query *query,
                          struct dns_reader *reader, const struct dns_header *header,
                          struct dns_judgement *out)
{
    struct dns_question question;
    if (!(header->flags & DNS_QR)) {
        return judge(out, DNS_IGNORED, "", "a query");
    }
    if (header->flags & DNS_OPCODE_MASK) {
        return judge(out, DNS_IGNORED, "", "another opcode");
    }
    if (header->counts[DNS_QUESTION] == 0 && (header->flags & DNS_RCODE_MASK) != DNS_NOERROR) {
        return true;
    }
    if (header->counts[DNS_QUESTION] != 1 || !dns_read_question(reader, &question)) {
        return judge(out, DNS_WRONG, "malformed", "the answer's question can't be read");
    }
    if (question.type != query->question.type || question.class != query->question.class ||
        !dns_name_equal(&question.name, &query->question.name)) {
        return judge(out, DNS_IGNORED, "", "another question");
    }
    // Servers repeat the question as they got it; who guessed the rest has not seen its case.
    if (options->mixed_case &&
        memcmp(question.name.wire, query->question.name.wire, query->question.name.length) != 0) {
        return judge(out, DNS_FORGED, "letter-case",
                     "the question in other letter case (mixed_case = no allows it)");
    }
    return true;
}

void dns_judge(const struct dns_options *options, const struct dns_query *query,
               const uint8_t *message, size_t length, struct dns_judgement *out)
{
    struct dns_reader reader = {.message = message, .end = length};
    struct reply reply = {.rcode = 0};
    char rcode[DNS_TYPE_TEXT_MAX];
    out->cookie.length = 0;
    if (length < 2 || get_u16(message) != query->id) {
        judge(out, DNS_IGNORED, "", "another id");
        return;
    }
    if (!dns_read_header(&reader, &reply.header)) {
        judge(out, DNS_WRONG, "malformed", "the answer has only %zu bytes", length);
        return;
    }
    if (!read_question(options, query, &reader, &reply.header, out)) {
        return;
    }
    reply.rcode = reply.header.flags & DNS_RCODE_MASK;
    bool whole = read_edns(reader, &reply);
    if (!judge_cookie(query, &reply, out)) {
        return;
    }
    if (reply.header.flags & DNS_TC) {
        judge(out, DNS_TRUNCATED, "malformed", "the answer is truncated");
    } else if (!whole || !read_records(options, query, &reader, &reply)) {
        judge(out, DNS_WRONG, "malformed", "the answer's records can't be read");
    } else if (reply.rcode == DNS_BADCOOKIE && out->cookie.length > 0 &&
               !judge_rcode(options, &reply, out)) {
        out->kind = DNS_COOKIE;
    } else if (judge_rcode(options, &reply, out) &&
               judge_flag("AA", options->aa, reply.header.flags & DNS_AA, out) &&
               judge_flag("AD", options->ad, reply.header.flags & DNS_AD, out) &&
               judge_nsid(options, &reply, out) && judge_answers(options, &reply, out)) {
        judge(out, DNS_RIGHT, "ok", "%s, %zu answer%s", dns_rcode_text(reply.rcode, rcode),
              reply.answers, reply.answers == 1 ? "" : "s");
    }
}
