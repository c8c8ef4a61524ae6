// SPDX-License-Identifier: Apache-2.0
//
// The latency of one tools/call after another, in nanoseconds by the monotonic clock:
//
//     latency SECONDS stdio COMMAND [ARGUMENT…]    straight to a stdio server
//     latency SECONDS http PORT PATH               through a proxy, over one connection
//
// Prints {"calls":…,"p50_us":…,"p99_us":…}; exits 1 with a sentence when an answer is not a result.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { capacity = 1 << 16, most = 1 << 21 };

static int input, output, port;
static const char *path;
static char session[256], answer[capacity];
static const char *version = "2025-11-25";

static void fail(const char *what) {
    fprintf(stderr, "latency: %s\n", what);
    exit(1);
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void send_all(const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = write(output, bytes, length);
        if (count <= 0) fail("the connection is closed");
        bytes += count;
        length -= (size_t)count;
    }
}

/// Whether `answer` holds a whole HTTP response: by its length, or the last chunk.
static int is_whole_response(size_t length) {
    char *body = strstr(answer, "\r\n\r\n");
    if (body == NULL) return 0;
    body += 4;
    char *header = strcasestr(answer, "\r\ncontent-length:");
    if (header != NULL && header < body) return length - (size_t)(body - answer) >= strtoul(header + 17, NULL, 10);
    if (strncmp(answer + 9, "202", 3) == 0) return 1;
    return strcmp(answer + length - 5, "0\r\n\r\n") == 0;
}

/// Sends one message; reads the answer into `answer`, up to its end.
static void exchange(const char *message, int is_http, int is_answered) {
    char request[4096];
    int length = is_http
        ? snprintf(request, sizeof request,
            "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\n%s%s%s%s%sContent-Length: %zu\r\n\r\n%s",
            path, port, *session ? "MCP-Protocol-Version: " : "", *session ? version : "",
            *session ? "\r\nMcp-Session-Id: " : "", session, *session ? "\r\n" : "", strlen(message), message)
        : snprintf(request, sizeof request, "%s\n", message);
    send_all(request, (size_t)length);
    if (!is_http && !is_answered) return;
    size_t filled = 0;
    do {
        ssize_t count = read(input, answer + filled, capacity - 1 - filled);
        if (count <= 0) fail("the connection is closed");
        filled += (size_t)count;
        answer[filled] = 0;
    } while (is_http ? !is_whole_response(filled) : answer[filled - 1] != '\n');
    if (is_answered && strstr(answer, "\"result\"") == NULL) fail(answer);
}

static pid_t spawn(char **command) {
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0) fail("no pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execvp(*command, command);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    input = out[0], output = in[1];
    return child;
}

static void dial(void) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    input = output = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    setsockopt(input, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(input, (struct sockaddr *)&address, sizeof address) != 0) fail("cannot connect");
}

static int compare(const void *left, const void *right) {
    long a = *(const long *)left, b = *(const long *)right;
    return (a > b) - (a < b);
}

int main(int count, char **arguments) {
    if (count < 4) fail("SECONDS stdio COMMAND… | SECONDS http PORT PATH");
    signal(SIGPIPE, SIG_IGN);
    int is_http = strcmp(arguments[2], "http") == 0;
    pid_t child = 0;
    if (is_http) port = atoi(arguments[3]), path = arguments[4], dial();
    else child = spawn(arguments + 3);

    exchange("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\","
             "\"capabilities\":{},\"clientInfo\":{\"name\":\"latency\",\"version\":\"1\"}}}", is_http, 1);
    char *header = is_http ? strcasestr(answer, "\r\nmcp-session-id:") : NULL;
    if (header != NULL) sscanf(header + 17, " %255[^\r]", session);
    exchange("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", is_http, 0);

    static long samples[most];
    long number = 0, warmup = now() + 200000000L, end = warmup + (long)(atof(arguments[1]) * 1e9), measured = 0;
    for (long start = now(); start < end && measured < most; start = now()) {
        char message[256];
        snprintf(message, sizeof message, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"tools/call\",\"params\":"
                 "{\"name\":\"echo\",\"arguments\":{\"text\":\"hello\"}}}", ++number);
        long begin = now();
        exchange(message, is_http, 1);
        if (start >= warmup) samples[measured++] = now() - begin;
    }
    close(output);
    if (child > 0) waitpid(child, NULL, 0);
    if (measured == 0) fail("no call was measured");
    qsort(samples, (size_t)measured, sizeof *samples, compare);
    printf("{\"calls\":%ld,\"p50_us\":%.2f,\"p99_us\":%.2f}\n", measured, (double)samples[measured / 2] / 1e3,
           (double)samples[measured * 99 / 100] / 1e3);
}
