// What a probe's URL may be, and where it leads. The URLs are parsed by libcurl, which is to follow
// them. Pure.
#pragma once

#include "base/endpoint.h"

#define URL_MAX      512
#define URL_HOST_MAX 256

struct url {
    char host[URL_HOST_MAX]; // an IPv6 address in brackets
    char port[8];
    bool https;
    struct endpoint address; // length 0 if the host is a name
};

// Takes text apart: http and https only, no user or password in it. NULL, or what is wrong with it.
const char *url_parse(const char *text, struct url *out);

// Can a request go to text, connecting to target (length 0: to the address that the URL names)? 0,
// or -1 with an operator's message. It passes url_parse(), and if its host is a name there is a
// target.
int url_check(const char *text, const struct endpoint *target, char error[ERROR_MAX]);

// Is it an https: URL?
bool url_encrypted(const char *text);

// Where a request to text connects, which passed url_check() with target: to target, or else to the
// address in the URL, at its scheme's port unless it names another. 0 or -ENOMEM.
int url_address(const char *text, const struct endpoint *target, struct endpoint *out);
