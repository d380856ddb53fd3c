// What the three clients share: the clock, a connection, and one request at a time over it.
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stddef.h>

enum { MAX_HEAD = 65536 };

// An answer. Its head is a string; of its body only the length was kept.
struct answer {
    int status;
    long long length;
    char head[MAX_HEAD];
};

// End the program with a message.
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

// Seconds of a clock that is never set.
double now(void);

// A positive number from the command line.
long positive(const char *text);

// A connection to a port of this machine.
int dial(int port);

// Send all bytes; `more` says that others follow at once. -1 if the connection is gone.
int send_all(int connection, const void *data, size_t length, int more);

// Read an answer, and discard its body in the kernel, without copying it. -1 if the connection is gone.
int read_answer(int connection, struct answer *answer);

// The path of the Location of an answer, and its query, if any.
void location(const struct answer *answer, char *path, size_t capacity);

// Write the head of a request, which declares a body of `length` bytes. Returns how long the head is.
size_t write_head(char *into, size_t capacity, const char *method, const char *path, int port, const char *type,
                  long long length);

// Append the parameter digest=sha256:... to a path.
void add_digest(char *path, size_t capacity, const char *digest);

#endif
