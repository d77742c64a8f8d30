<?php
// A prison over plain HTTP: publish a report, read the stream, read the state. Only the json extension is needed.
declare(strict_types=1);

$url = getenv('SIMPUL_URL') ?: 'http://127.0.0.1:8080';
$key = getenv('SIMPUL_KEY') ?: '';

/** The hub refused a request (4xx): nothing was written. `problem` is the problem document: what is wrong and where. */
final class Refused extends Exception
{
    public function __construct(public readonly int $status, public readonly array $problem)
    {
        $why = json_encode($problem['errors'] ?? $problem['hint'] ?? null, JSON_UNESCAPED_SLASHES);
        parent::__construct("$status {$problem['code']}: $why");
    }
}

function header_value(array $headers, string $name): string
{
    foreach ($headers as $h) {
        if (stripos($h, "$name:") === 0) {
            return strtolower(trim(substr($h, strlen($name) + 1)));
        }
    }
    return '';
}

/** Seconds of the header Retry-After, at most 60: a number, or a date as many proxies send it. null without one. */
function retry_after(string $value): ?float
{
    $at = is_numeric($value) ? time() + (float) $value : strtotime($value);
    return $value === '' || $at === false ? null : min(max($at - time(), 0), 60);
}

/** A refusal by the hub: the type of its problem document names its code. Proxies and firewalls have problem documents too. */
function is_refusal(string $kind, mixed $json): bool
{
    $code = is_array($json) ? $json['code'] ?? null : null;
    return str_starts_with($kind, 'application/problem+json') && is_string($code) && ($json['type'] ?? null) === "/docs/errors#$code";
}

/**
 * Sends a request and retries it, unchanged, after a lost connection, 408, 425, 429 and 5xx. That is safe (idempotent): the hub stores an event id only once.
 * An answer that is not the hub's counts as no answer: the hub answers JSON for which $expected is true, or a problem document.
 */
function call(string $method, string $path, callable $expected, ?array $body = null, string $type = 'application/json', int $tries = 8): array
{
    global $url, $key;
    $headers = ["authorization: Bearer $key", 'accept-language: en', 'connection: close'];
    if ($body !== null) {
        $headers[] = "content-type: $type";
    }
    $options = ['method' => $method, 'header' => $headers, 'timeout' => 60, 'ignore_errors' => true, 'follow_location' => 0];
    if ($body !== null) {
        $options['content'] = json_encode($body, JSON_THROW_ON_ERROR);
    }
    for ($n = 1; $n <= $tries; $n++) {
        $wait = min(2 ** $n / 4, 30);
        $text = @file_get_contents($url . $path, false, stream_context_create(['http' => $options]));
        if ($text !== false) {
            preg_match('#^HTTP/\S+ (\d+)#', $http_response_header[0], $m);
            $status = (int) $m[1];
            $json = json_decode($text, true, 64);
            $kind = header_value($http_response_header, 'content-type');
            if ($status < 300 && str_starts_with($kind, 'application/json') && is_array($json) && $expected($json)) {
                return $json;
            }
            // A page of a proxy or firewall on the way, a redirect and cut JSON are no answer of the hub.
            if (is_refusal($kind, $json) && $status < 500 && !in_array($status, [408, 425, 429], true)) {
                throw new Refused($status, $json);
            }
            $wait = retry_after(header_value($http_response_header, 'retry-after')) ?? $wait;
        }
        if ($n === 1) {
            fwrite(STDERR, "no answer from $url; trying again\n");
        }
        if ($n < $tries) {
            usleep((int) ($wait * 1e6));
        }
    }
    throw new RuntimeException("no answer from $url");
}

function publish(string $source, string $type, array $data): array
{
    $id = bin2hex(random_bytes(16));
    // The receipt of this event, not of another that a cache on the way has kept.
    $ours = fn (array $found) => ($found['id'] ?? null) === $id && ($found['source'] ?? null) === $source && isset($found['position']);
    return call('POST', '/v1/events', $ours, [
        'specversion' => '1.0',
        'id' => $id,
        'source' => $source,
        'type' => $type,
        'time' => gmdate('Y-m-d\TH:i:s\Z'),
        'data' => $data,
    ], 'application/cloudevents+json');
}

/** Pages to the end of the stream. Store `next` of the last page that is processed, and pass it as the cursor the next time. */
function pages(string $stream, ?string $cursor = null): Generator
{
    do {
        $place = http_build_query($cursor === null ? ['from' => 'earliest'] : ['cursor' => $cursor]);
        $page = call('GET', "/v1/streams/$stream/events?$place", fn (array $found) => is_array($found['events'] ?? null) && is_string($found['next'] ?? null));
        yield $page;
        foreach ($page['damaged'] ?? [] as $position) {
            fwrite(STDERR, "the hub cannot read $position any more\n");
        }
        $cursor = $page['next'];
    } while ($page['events'] !== [] || ($page['incomplete'] ?? false));
}

try {
    $me = call('GET', '/v1/me', fn (array $found) => isset($found['source'], $found['unit']));
    $report = [
        'unit' => $me['unit'],
        'tanggal' => $me['today'], // the day in the zone of the unit, not of UTC
        'kapasitas' => 327,
        'jumlahTahanan' => 33,
        'jumlahNarapidana' => 298,
        'jumlahAnak' => 0,
        'perempuan' => 17,
        'warganegaraAsing' => 2,
        'masukHariIni' => 1,
        'keluarHariIni' => 0,
        'pindahMasuk' => 0,
        'pindahKeluar' => 0,
        'melewatiMasaPenahanan' => 2,
        'waktuLaporan' => gmdate('Y-m-d\TH:i:s\Z'),
    ];
    $receipt = publish($me['source'], 'pas.hunian.dilaporkan', $report);
    echo "recorded at {$receipt['position']}\n";
    $ours = [];
    foreach (pages('pas.hunian') as $page) {
        foreach ($page['events'] as $event) {
            if ($event['source'] === $me['source']) {
                $ours[] = $event['position'];
            }
        }
    }
    echo 'in the stream: ' . count($ours) . ' of ours, last at ' . end($ours) . "\n";
    $after = rawurlencode($receipt['position']);
    $ours = fn (array $found) => ($found['key'] ?? null) === $me['unit'] && is_array($found['value'] ?? null);
    $entry = call('GET', "/v1/state/pas.hunian-unit/{$me['unit']}?after=$after", $ours);
    echo "state: {$entry['value']['jumlahNarapidana']} convicts, stale " . json_encode($entry['stale']) . "\n";
    try {
        publish($me['source'], 'pas.hunian.dilaporkan', ['tanggal' => 'yesterday'] + $report);
    } catch (Refused $e) {
        echo "refused as it should be: {$e->getMessage()}\n";
    }
} catch (Refused | RuntimeException $e) {
    fwrite(STDERR, $e->getMessage() . "\n");
    exit(1);
}
