#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static bool is_tail(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

// Decodes the character at text into *point; its length, 0 if it is not well-formed.
static size_t decode(const unsigned char *text, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80             ? 1
                    : (text[0] & 0xe0) == 0xc0 ? 2
                    : (text[0] & 0xf0) == 0xe0 ? 3
                    : (text[0] & 0xf8) == 0xf0 ? 4
                                               : 0;
    if (length <= 1) {
        *point = text[0];
        return length;
    }
    *point = text[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if (!is_tail(text[i])) {
            return 0;
        }
        *point = *point << 6 | (text[i] & 0x3fU);
    }
    bool surrogate = *point >= 0xd800 && *point <= 0xdfff;
    return *point < least[length] || surrogate || *point > 0x10ffff ? 0 : length;
}

size_t utf8_length(const char *text)
{
    uint32_t point;
    return decode((const unsigned char *)text, &point);
}

// C0, DEL, C1, line separators, and the marks that reorder what stands around them.
static bool steers(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

bool text_steers(const char *text, uint32_t *point)
{
    bool formed = decode((const unsigned char *)text, point) > 0;
    *point = formed ? *point : 0;
    return formed && steers(*point);
}

// How the character at *text is written, NUL-terminated; *text moves past it.
static void write_one(const char **text, bool quotes, char out[20])
{
    const unsigned char *at = (const unsigned char *)*text;
    uint32_t point;
    size_t length = decode(at, &point);
    size_t bytes = length == 0 ? 1 : length;
    *text += bytes;
    if (at[0] == '\n' || at[0] == '\t') {
        snprintf(out, 20, "\\%c", at[0] == '\n' ? 'n' : 't');
    } else if (quotes && (at[0] == '"' || at[0] == '\\')) {
        snprintf(out, 20, "\\%c", at[0]);
    } else if (length > 0 && !steers(point)) {
        memcpy(out, at, length);
        out[length] = '\0';
    } else {
        for (size_t i = 0; i < bytes; i++) {
            snprintf(out + 4 * i, 20 - 4 * i, "\\x%02x", at[i]);
        }
    }
}

// How many bytes from text on stand for themselves: most do.
static size_t plain_length(const char *text, bool quotes)
{
    size_t length = 0;
    while (text[length] >= ' ' && text[length] <= '~' &&
           !(quotes && (text[length] == '"' || text[length] == '\\'))) {
        length++;
    }
    return length;
}

size_t text_printable(char *out, size_t size, const char *text, bool quotes)
{
    size_t used = 0;
    assert(size > 0);
    for (;;) {
        char piece[20];
        size_t room = size - 1 - used;
        size_t plain = plain_length(text, quotes);
        plain = plain < room ? plain : room;
        memcpy(out + used, text, plain);
        used += plain;
        text += plain;
        if (*text == '\0') {
            break;
        }
        write_one(&text, quotes, piece);
        size_t length = strlen(piece);
        if (used + length >= size) {
            break;
        }
        memcpy(out + used, piece, length);
        used += length;
    }
    out[used] = '\0';
    return used;
}

bool text_next_word(const char **at, char *word, size_t size)
{
    const char *begin = *at + strspn(*at, " \t");
    size_t length = strcspn(begin, " \t");
    snprintf(word, size, "%.*s", (int)length, begin);
    *at = begin + length;
    return length > 0;
}

int text_hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

const char *text_digits(const char *text, uint64_t *out)
{
    const char *at = text;
    uint64_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return NULL;
        }
        number = number * 10 + digit;
    }
    *out = number;
    return at == text ? NULL : at;
}
