#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

long positive(const char *text) {
    char *end;
    long number = strtol(text, &end, 10);
    if (*end || number < 1)
        fail("not a positive number: %s", text);
    return number;
}

int dial(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address))
        fail("cannot connect to port %d: %m", port);
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return connection;
}

int send_all(int connection, const void *data, size_t length, int more) {
    const char *next = data;
    while (length > 0) {
        ssize_t sent = send(connection, next, length, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (sent <= 0)
            return -1;
        next += sent;
        length -= sent;
    }
    return 0;
}

// The value of a header, within the head of an answer; NULL if it is not there.
static const char *header(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (!strncasecmp(line, name, length) && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " ");
    }
    return NULL;
}

// Read until the head is complete. Returns how many bytes of the body came with it, or -1.
static long long read_head(int connection, struct answer *answer) {
    size_t have = 0;
    while (have < MAX_HEAD - 1) {
        ssize_t got = recv(connection, answer->head + have, MAX_HEAD - 1 - have, 0);
        if (got <= 0)
            return -1;
        have += got;
        answer->head[have] = 0;
        char *end = strstr(answer->head, "\r\n\r\n");
        if (end) {
            end[2] = 0;
            return have - (end + 4 - answer->head);
        }
    }
    fail("the head of an answer has no end");
}

int read_answer(int connection, struct answer *answer) {
    long long have = read_head(connection, answer);
    if (have < 0)
        return -1;
    if (sscanf(answer->head, "HTTP/1.%*d %d", &answer->status) != 1)
        fail("not an answer: %.200s", answer->head);
    const char *length = header(answer->head, "Content-Length");
    if (!length && answer->status != 204)
        fail("an answer without Content-Length:\n%.1000s", answer->head);
    answer->length = length ? atoll(length) : 0;
    while (have < answer->length) {
        long long rest = answer->length - have;
        ssize_t got = recv(connection, NULL, rest < 1 << 20 ? rest : 1 << 20, MSG_TRUNC);
        if (got <= 0)
            return -1;
        have += got;
    }
    return 0;
}

void location(const struct answer *answer, char *path, size_t capacity) {
    const char *value = header(answer->head, "Location");
    const char *start = value ? strstr(value, "/v2/") : NULL;
    if (!start)
        fail("an answer without Location:\n%.1000s", answer->head);
    size_t length = strcspn(start, "\r\n");
    if (length >= capacity)
        fail("a Location of %zu bytes", length);
    memcpy(path, start, length);
    path[length] = 0;
}

size_t write_head(char *into, size_t capacity, const char *method, const char *path, int port, const char *type,
                  long long length) {
    int written = snprintf(into, capacity,
                           "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: %s\r\nContent-Length: %lld\r\n\r\n",
                           method, path, port, type, length);
    if (written < 0 || (size_t)written >= capacity)
        fail("a request that is too long: %.200s", path);
    return written;
}

void add_digest(char *path, size_t capacity, const char *digest) {
    size_t length = strlen(path);
    int written = snprintf(path + length, capacity - length, "%cdigest=%s", strchr(path, '?') ? '&' : '?', digest);
    if (written < 0 || (size_t)written >= capacity - length)
        fail("a path that is too long: %.200s", path);
}
