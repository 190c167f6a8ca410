// BIRD's control protocol, the reading half (see reply.h). Pure: no I/O, no clock, no allocation.

#include "birdctl/reply.h"

#include "base/hash.h"

#include <assert.h>
#include <string.h>

// A coded line has four digits and a mark before its text.
#define PREFIX_LENGTH 5

// The first failure, and the first that is no command.
enum { CODES_FAILURE = 8000, CODES_SYNTAX = 9000 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool has_code(const char *text, size_t length)
{
    return length >= PREFIX_LENGTH && is_digit(text[0]) && is_digit(text[1]) && is_digit(text[2]) &&
           is_digit(text[3]) && (text[4] == '-' || text[4] == ' ');
}

static unsigned code_of(const char *text)
{
    unsigned code = 0;
    for (int i = 0; i < 4; i++) {
        code = code * 10 + (unsigned)(text[i] - '0');
    }
    return code;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

// BIRD's echo ring writes this one without the '+'.
static bool is_lost_notice(const char *text, size_t length)
{
    static const char end[] = " messages lost>";
    size_t end_length = sizeof end - 1;
    return length > end_length && text[0] == '<' && strcmp(text + length - end_length, end) == 0;
}

// What the whole raw line is; sets the code that a continuation line after it will have.
static struct bird_line classify(struct bird_reader *reader)
{
    const char *raw = reader->line;
    size_t length = reader->length;
    struct bird_line line = {BIRD_GARBLED, 0, reader->cut, raw, length};
    size_t skip = 0;
    if (memchr(raw, '\0', length) != NULL) {
        return line;
    }
    if (has_code(raw, length)) {
        skip = PREFIX_LENGTH;
        line.kind = raw[4] == '-' ? BIRD_LINE : BIRD_LAST;
        line.code = code_of(raw);
        reader->code = line.kind == BIRD_LINE ? line.code : 0;
    } else if (raw[0] == ' ' && reader->code != 0) {
        skip = 1;
        line.kind = BIRD_LINE;
        line.code = reader->code;
    } else if (raw[0] == '+') {
        skip = 1;
        line.kind = BIRD_ECHO;
    } else if (is_lost_notice(raw, length)) {
        line.kind = BIRD_ECHO;
    }
    line.text = raw + skip;
    line.length = length - skip;
    return line;
}

static void finish_line(struct bird_reader *reader, bird_line_cb on_line, void *arg)
{
    reader->line[reader->length] = '\0';
    struct bird_line line = classify(reader);
    if (line.length > BIRD_LINE_MAX) {
        line.cut = true;
        line.length = BIRD_LINE_MAX;
        reader->line[(size_t)(line.text - reader->line) + line.length] = '\0';
    }
    on_line(arg, &line);
    reader->length = 0;
    reader->cut = false;
}

static void append(struct bird_reader *reader, const char *bytes, size_t length)
{
    size_t room = BIRD_LINE_MAX + PREFIX_LENGTH - reader->length;
    size_t kept = length < room ? length : room;
    memcpy(reader->line + reader->length, bytes, kept);
    reader->length += kept;
    reader->cut |= kept < length;
}

void bird_reader_feed(struct bird_reader *reader, const char *bytes, size_t length,
                      bird_line_cb on_line, void *arg)
{
    assert(reader && on_line && (bytes || length == 0));
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline != NULL ? (size_t)(newline - bytes) : length;
        append(reader, bytes, part);
        if (newline == NULL) {
            return;
        }
        finish_line(reader, on_line, arg);
        bytes += part + 1;
        length -= part + 1;
    }
}

enum bird_outcome bird_outcome(unsigned code)
{
    switch (code) {
    case BIRD_CODE_NO_ROUTE:
        return BIRD_NO_ROUTE;
    case BIRD_CODE_CONFIG_ERROR:
        return BIRD_CONFIG_ERROR;
    case BIRD_CODE_NO_PROTOCOL:
        return BIRD_NO_PROTOCOL;
    case BIRD_CODE_ACCESS_DENIED:
        return BIRD_ACCESS_DENIED;
    default:
        return code < CODES_FAILURE ? BIRD_OK : code < CODES_SYNTAX ? BIRD_RUNTIME : BIRD_SYNTAX;
    }
}

enum bird_outcome bird_switch_outcome(unsigned code, const char *text)
{
    assert(text);
    bool unknown = code == BIRD_CODE_SYNTAX &&
                   (starts_with(text, "syntax error, unexpected CF_SYM_UNDEFINED, expecting") ||
                    starts_with(text, "Protocol name required"));
    return unknown || code == BIRD_CODE_NO_SYMBOL ? BIRD_NO_PROTOCOL : bird_outcome(code);
}

static bool is_of_reply(const struct bird_line *line, unsigned code)
{
    return (line->kind == BIRD_LINE || line->kind == BIRD_LAST) && line->code == code;
}

static const char *skip_spaces(const char *text)
{
    return text + strspn(text, " ");
}

// Copies what fits of the first length bytes.
static void copy_cut(char *out, size_t size, const char *text, size_t length)
{
    size_t kept = length < size ? length : size - 1;
    memcpy(out, text, kept);
    out[kept] = '\0';
}

// Takes the next word; NULL when there is none or it doesn't fit, since half a name is another
// name. Returns what follows the word.
static const char *take_word(const char *text, char *out, size_t size)
{
    text = skip_spaces(text);
    size_t length = strcspn(text, " ");
    if (length == 0 || length >= size) {
        return NULL;
    }
    copy_cut(out, size, text, length);
    return text + length;
}

static bool has_word(const char *text, const char *word)
{
    size_t word_length = strlen(word);
    for (text = skip_spaces(text); *text != '\0'; text = skip_spaces(text)) {
        size_t length = strcspn(text, " ");
        if (length == word_length && memcmp(text, word, length) == 0) {
            return true;
        }
        text += length;
    }
    return false;
}

// BIRD writes "%-10s %-10s %-10s %-6s %-12s  %s": two spaces part the time, which may hold single
// ones, from the info (proto_cmd_show() in nest/proto.c).
static const char *info_after(const char *after_state)
{
    const char *gap = strstr(skip_spaces(after_state), "  ");
    return gap != NULL ? skip_spaces(gap) : "";
}

static size_t trimmed_length(const char *text)
{
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    return length;
}

bool bird_parse_protocol(const struct bird_line *line, struct bird_protocol *out)
{
    assert(line && out);
    if (!is_of_reply(line, BIRD_CODE_PROTOCOL)) {
        return false;
    }
    struct bird_protocol row = {0};
    const char *rest = take_word(line->text, row.name, sizeof row.name);
    rest = rest != NULL ? take_word(rest, row.type, sizeof row.type) : NULL;
    rest = rest != NULL ? take_word(rest, row.table, sizeof row.table) : NULL;
    rest = rest != NULL ? take_word(rest, row.state, sizeof row.state) : NULL;
    if (rest == NULL) {
        return false;
    }
    const char *info = info_after(rest);
    copy_cut(row.info, sizeof row.info, info, trimmed_length(info));
    row.up = strcmp(row.state, "up") == 0;
    row.down = strcmp(row.state, "down") == 0;
    // Looked for in all that follows the state, since an odd time format may look like the gap.
    row.established = row.up && strcmp(row.type, "BGP") == 0 && has_word(rest, "Established");
    *out = row;
    return true;
}

// The value of "  Label:   value", or NULL if the row has another label.
static const char *labelled(const struct bird_line *line, const char *label)
{
    if (!is_of_reply(line, BIRD_CODE_PROTOCOL_DETAIL)) {
        return NULL;
    }
    const char *text = skip_spaces(line->text);
    return starts_with(text, label) ? skip_spaces(text + strlen(label)) : NULL;
}

bool bird_parse_description(const struct bird_line *line, char *out, size_t size)
{
    assert(line && out && size > 0);
    const char *value = labelled(line, "Description:");
    if (value == NULL) {
        return false;
    }
    copy_cut(out, size, value, strlen(value));
    return true;
}

// Takes a decimal number; NULL when there is none or it doesn't fit.
static const char *take_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;
    if (!is_digit(*text)) {
        return NULL;
    }
    for (; is_digit(*text); text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (number > (max - digit) / 10) {
            return NULL;
        }
        number = number * 10 + digit;
    }
    *out = number;
    return text;
}

// ---- BGP sessions

// A number from 0 on that begins the text; 0 when there is none.
static uint32_t number_in(const char *text)
{
    uint64_t number = 0;
    return take_number(text, UINT32_MAX, &number) != NULL ? (uint32_t)number : 0;
}

static void read_capability(struct bird_capabilities *side, const char *text)
{
    static const char restart[] = "Restart time:";
    static const char stale[] = "LL stale time:";
    if (strcmp(text, "Graceful restart") == 0) {
        side->graceful = true;
    } else if (strcmp(text, "Long-lived graceful restart") == 0) {
        side->long_lived = true;
    } else if (starts_with(text, restart)) {
        side->restart_s = number_in(skip_spaces(text + sizeof restart - 1));
    } else if (starts_with(text, stale)) {
        side->stale_s = number_in(skip_spaces(text + sizeof stale - 1));
    }
}

// "184.986/240"
static uint32_t whole_of(const char *timer)
{
    const char *slash = strchr(timer, '/');
    return slash != NULL ? number_in(slash + 1) : 0;
}

// The row's last word, of the column `accepted` (channel_show_stats() in nest/proto.c).
static uint64_t counted(uint64_t so_far, const struct bird_line *line, const char *updates,
                        const char *withdraws)
{
    const char *columns = labelled(line, updates);
    if (columns == NULL && (columns = labelled(line, withdraws)) == NULL) {
        return so_far;
    }
    size_t length = trimmed_length(columns);
    size_t first = length;
    while (first > 0 && columns[first - 1] != ' ') {
        first--;
    }
    return hash_bytes(so_far != 0 ? so_far : HASH_START, columns + first, length - first + 1);
}

uint64_t bird_exported(uint64_t so_far, const struct bird_line *line)
{
    return counted(so_far, line, "Export updates:", "Export withdraws:");
}

uint64_t bird_imported(uint64_t so_far, const struct bird_line *line)
{
    return counted(so_far, line, "Import updates:", "Import withdraws:");
}

// A neighbor that does not want a family leaves its channel down (bird-facts 30).
static void read_session(struct bird_bgp_reader *reader, const struct bird_line *line)
{
    struct bird_bgp *bgp = &reader->bgp;
    const char *value;
    bgp->exported = bird_exported(bgp->exported, line);
    if ((value = labelled(line, "Neighbor address:")) != NULL) {
        take_word(value, bgp->neighbor, sizeof bgp->neighbor);
    } else if (labelled(line, "Neighbor range:") != NULL) {
        bgp->range = true;
    } else if ((value = labelled(line, "Neighbor AS:")) != NULL) {
        bgp->neighbor_as = number_in(value);
    } else if ((value = labelled(line, "Local AS:")) != NULL) {
        bgp->local_as = number_in(value);
    } else if ((value = labelled(line, "Hold timer:")) != NULL) {
        bgp->hold_s = whole_of(value);
        bgp->open = true;
    } else if (labelled(line, "Export limit:") != NULL) {
        bgp->limited = true;
    } else if ((value = labelled(line, "Channel ")) != NULL) {
        reader->channel = strcmp(value, "ipv4") == 0   ? &bgp->ipv4
                          : strcmp(value, "ipv6") == 0 ? &bgp->ipv6
                                                       : NULL;
        if (reader->channel != NULL) {
            *reader->channel = true;
        }
    } else if ((value = labelled(line, "State:")) != NULL && reader->channel != NULL) {
        *reader->channel = !bgp->open || strcmp(value, "UP") == 0;
    }
}

// Capabilities stand between two labels of their side's and the session's (bgp_show_proto_info() in
// proto/bgp/bgp.c).
void bird_bgp_line(struct bird_bgp_reader *reader, const struct bird_line *line)
{
    struct bird_protocol row;
    assert(reader && line);
    if (bird_parse_protocol(line, &row)) {
        reader->inside = strcmp(row.name, reader->name) == 0 && strcmp(row.type, "BGP") == 0;
        reader->found = reader->found || reader->inside;
        reader->side = NULL;
        reader->channel = NULL;
        return;
    }
    const char *text = reader->inside ? labelled(line, "") : NULL;
    if (text == NULL) {
        return;
    }
    if (strcmp(text, "Local capabilities") == 0) {
        reader->side = &reader->bgp.ours;
    } else if (strcmp(text, "Neighbor capabilities") == 0) {
        reader->side = &reader->bgp.theirs;
    } else if (starts_with(text, "Session:")) {
        reader->side = NULL;
    } else if (reader->side != NULL) {
        read_capability(reader->side, text);
    } else {
        read_session(reader, line);
    }
}

// BIRD writes "%-25I %-10s %-10s ...": address, interface, state (bfd_show_session() in
// proto/bfd/bfd.c). Titles have other words in the place of the state.
bool bird_parse_bfd(const struct bird_line *line, struct bird_bfd *out)
{
    static const char *const states[] = {"AdminDown", "Down", "Init", "Up"};
    assert(line && out);
    struct bird_bfd row;
    const char *rest = is_of_reply(line, BIRD_CODE_BFD)
                           ? take_word(line->text, row.address, sizeof row.address)
                           : NULL;
    rest = rest != NULL ? take_word(rest, row.interface, sizeof row.interface) : NULL;
    rest = rest != NULL ? take_word(rest, row.state, sizeof row.state) : NULL;
    for (size_t i = 0; rest != NULL && i < sizeof states / sizeof *states; i++) {
        if (strcmp(row.state, states[i]) == 0) {
            *out = row;
            return true;
        }
    }
    return false;
}

// ---- Routes

static bool ends_with(const char *text, const char *end, const char *word)
{
    size_t length = strlen(word);
    return (size_t)(end - text) >= length && memcmp(end - length, word, length) == 0;
}

// BIRD writes "%-20s %s [%s %s%s]%s%s": prefix (empty when it is the one above), kind, protocol,
// time, sender, mark, preference (rt_show_rte() in nest/rt-show.c).
bool bird_parse_route(const struct bird_line *line, struct bird_route *out)
{
    assert(line && out);
    if (!is_of_reply(line, BIRD_CODE_ROUTE) || line->text[0] == '\t') {
        return false;
    }
    const char *open = strstr(line->text, " [");
    const char *close = open != NULL ? strchr(open, ']') : NULL;
    struct bird_route route;
    if (close == NULL) {
        return false;
    }
    const char *name = open + 2;
    const char *rest = take_word(name, route.protocol, sizeof route.protocol);
    if (rest == NULL || *name == ' ' || rest > close) {
        return false;
    }
    route.unicast = ends_with(line->text, open, " unicast");
    route.best = starts_with(close + 1, " *") || starts_with(close + 1, " !");
    *out = route;
    return true;
}

// rt_show_prepare_tables() in nest/rt-show.c: 2.x, and 3.x in both cases.
bool bird_tells_export(unsigned code, const char *text)
{
    static const char *const no_channel[] = {"No valid tables", "Requested 'show route export'"};
    assert(text);
    for (size_t i = 0; i < sizeof no_channel / sizeof *no_channel; i++) {
        if (code == BIRD_CODE_SYNTAX && starts_with(text, no_channel[i])) {
            return true;
        }
    }
    return code == BIRD_CODE_OK || code == BIRD_CODE_NO_ROUTE;
}

bool bird_parse_attribute(const struct bird_line *line, struct bird_attribute *out)
{
    static const struct {
        const char *labels[2]; // of 2.x and of 3.x
        enum bird_attribute_kind kind;
    } table[] = {
        {{"BGP.as_path:", "bgp_path:"}, BIRD_ATTRIBUTE_PATH},
        {{"BGP.med:", "bgp_med:"}, BIRD_ATTRIBUTE_MED},
        {{"BGP.local_pref:", "bgp_local_pref:"}, BIRD_ATTRIBUTE_LOCAL_PREF},
        {{"BGP.community:", "bgp_community:"}, BIRD_ATTRIBUTE_COMMUNITIES},
        {{"BGP.large_community:", "bgp_large_community:"}, BIRD_ATTRIBUTE_LARGE_COMMUNITIES},
        {{"BGP.ext_community:", "bgp_ext_community:"}, BIRD_ATTRIBUTE_EXT_COMMUNITIES},
    };
    assert(line && out);
    if (!is_of_reply(line, BIRD_CODE_ATTRIBUTE) || line->text[0] != '\t') {
        return false;
    }
    const char *text = line->text + 1;
    *out = (struct bird_attribute){BIRD_ATTRIBUTE_OTHER, text};
    if (*text == '\t') {
        *out = (struct bird_attribute){BIRD_ATTRIBUTE_MORE, text + 1};
    }
    for (size_t i = 0; i < 2 * sizeof table / sizeof *table; i++) {
        const char *label = table[i / 2].labels[i % 2];
        if (starts_with(text, label)) {
            *out = (struct bird_attribute){table[i / 2].kind, skip_spaces(text + strlen(label))};
        }
    }
    return true;
}

bool bird_parse_greeting(const struct bird_line *line, struct bird_version *out)
{
    assert(line && out);
    if (line->kind != BIRD_LAST || line->code != BIRD_CODE_GREETING ||
        !starts_with(line->text, "BIRD ")) {
        return false;
    }
    const char *text = line->text + strlen("BIRD ");
    text += *text == 'v'; // of builds from git
    uint64_t part[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        if (i > 0 && *text++ != '.') {
            break;
        }
        const char *rest = take_number(text, UINT16_MAX, &part[i]);
        if (rest == NULL && i < 2) {
            return false;
        }
        if (rest == NULL) {
            break;
        }
        text = rest;
    }
    *out = (struct bird_version){(unsigned)part[0], (unsigned)part[1], (unsigned)part[2]};
    return true;
}
