// See system_error.h.
#include "probes/system_error.h"

#include <uv.h>

// What is not listed is about the service, with the code "error". An unreachable network or host is
// about the service too: nobody can say that it works while it can't be reached from its own PoP.
static const struct meaning {
    int error;
    bool ours;
    const char *code;
} meanings[] = {
    {UV_EMFILE, true, "local"},
    {UV_ENFILE, true, "local"},
    {UV_ENOMEM, true, "local"},
    {UV_ENOBUFS, true, "local"},
    {UV_EPERM, true, "local"},
    {UV_EACCES, true, "local"},
    {UV_EADDRNOTAVAIL, true, "local"},
    {UV_EADDRINUSE, true, "local"},
    {UV_EAFNOSUPPORT, true, "local"},
    {UV_EPROTONOSUPPORT, true, "local"},
    {UV_EAGAIN, true, "local"},
    {UV_ENOSPC, true, "local"}, // epoll_ctl's word for too many watches
    {UV_EBADF, true, "local"},
    {UV_ENOTSOCK, true, "local"},
    {UV_EEXIST, true, "local"},
    {UV_ENOSYS, true, "local"},
    {UV_EMSGSIZE, true, "local"},
    {UV_ENETDOWN, true, "local"},
    {UV_ENODEV, true, "local"},
    {UV_ECONNREFUSED, false, "refused"},
    {UV_ECONNRESET, false, "closed"},
    {UV_ECONNABORTED, false, "closed"},
    {UV_EPIPE, false, "closed"},
    {UV_EHOSTUNREACH, false, "unreachable"},
    {UV_ENETUNREACH, false, "unreachable"},
    {UV_EINVAL, false,
     "unreachable"}, // Linux says so of a blackhole route, such as BIRD may have put there
    {UV_ETIMEDOUT, false, "timeout"},
};

static const struct meaning *meaning_of(int error)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i].error == error) {
            return &meanings[i];
        }
    }
    return NULL;
}

bool probe_error_is_ours(int error)
{
    const struct meaning *meaning = meaning_of(error);
    return meaning != NULL && meaning->ours;
}

int probe_error_from_afar(int error)
{
    return error == UV_EACCES || error == UV_EMSGSIZE ? UV_EHOSTUNREACH : error;
}

void finding_error(struct finding *out, int error, const char *attempted)
{
    const struct meaning *meaning = meaning_of(error);
    bool ours = meaning != NULL && meaning->ours;
    const char *more = ours                 ? " (trouble of popgated's own)"
                       : error == UV_EINVAL ? " (Linux says so of a blackhole route)"
                                            : "";
    finding_set(out, ours ? VERDICT_UNKNOWN : VERDICT_FAIL,
                meaning != NULL ? meaning->code : "error", "%s: %s%s", attempted,
                uv_strerror(error), more);
}
