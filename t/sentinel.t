#!/usr/bin/perl

# redis+sentinel://: the master is whom the Sentinels name; workers follow a failover by
# themselves, leave a deposed master at once, and need no one Sentinel in particular.

use warnings;
use strict;

use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Mpk;
use Mpk::FakeRedis;
use Mpk::Load;
use Mpk::Sentinels;
use Mpk::Tls;
use Test::More;
use Time::HiRes qw(sleep time);

my $slow = $ENV{MPK_VALGRIND} ? 10 : $ENV{MPK_SANITIZED} ? 2 : 1;
my $t = Mpk->new;
my $dir = $t->dir;

my $s = Mpk::Sentinels->new($t, password => 'sesame', own => 'guard');
my $options = 'password_file=' . $t->write('password', "sesame\n", 0600)
    . ' sentinel_password_file=' . $t->write('guard', "guard\n", 0600) . ' timeout=500ms';
my $dead = $t->port('dead');



# a quiet failover: nothing fails

$t->conf(workers => 2, redis => $s->url($dead, @{$s->{sentinels}}) . " $options")->start;
is($t->confirm($t->link('A-1'))->{status}, 200, 'a reveal goes all the way, though the first Sentinel of the URL is dead');

my ($n, $gap, $last, %answers) = (0, 0, time);
my $old = $s->master;
my $mark = $t->mark;
my $pid = fork // die "fork: $!";
if ($pid == 0) { eval { $s->failover }; $_->{pid} = 0 for @{$s->{servers}}, @{$s->{sentinels}}; POSIX::_exit($@ ? 1 : 0) }

my $moved = 0;
while (time < $last + 20 && (!$moved || time < $moved + 1)) {
    my $r = $t->api('PUT', 'orders/Q-' . ++$n, $t->order);
    $answers{$r->{status}}++;
    if ($r->{status} == 201) { $gap = time - $last if time - $last > $gap; $last = time }
    $moved ||= time if waitpid($pid, POSIX::WNOHANG()) == $pid;
}

delete $_->{client} for @{$s->{servers}}, @{$s->{sentinels}};
isnt($s->master, $old, 'SENTINEL FAILOVER: another master');
note(sprintf "%d orders filed meanwhile: %s; longest pause %.0f ms", $n, join(', ', map { "$answers{$_} x $_" } sort keys %answers), $gap * 1000);
cmp_ok($answers{503} // 0, '<=', 4, 'workers move at once, no more than what was under way is refused');
cmp_ok($gap, '<', 1 * $slow, 'nobody waits for it');
ok($s->well, 'the Sentinels are well');
is($old->clients, 0, 'the old master has no connection of ours');
is($s->master->clients, 2, 'the new one has one of each worker');


# failovers under load

my $seconds = ($ENV{MPK_SECONDS} // 12) * $slow;
ok($t->quit, 'quit');

# a failover that ops ask for promotes one replica while the other goes on acknowledging
# what the old master takes: only what both have survives for certain

$t->conf(workers => 2, redis => $s->url . " $options durability=replicas=2")->start;
my $load = Mpk::Load->new(test => $t, seconds => $seconds / 2, long => 1, clients => 3);
$load->back('at the beginning', 5 * $slow);

for (1, 2) {
    my $at = time;
    $s->failover;
    $load->back('SENTINEL FAILOVER', 10 * $slow, $at);
    $s->well or die 'not well';
}

$load->check(10);
ok($t->quit, 'quit');


# a master that dies or hangs takes no more; where Sentinels replaced one that lived, too,
# since the machine stood still, it is as with a failover by hand, and tried again

$t->conf(workers => 2, redis => $s->url . " $options durability=replicas=1")->start;

for my $round (1 .. 3) {
    $load = Mpk::Load->new(test => $t, seconds => $seconds, clients => 3, name => "J$round");
    my $promotions = $s->promotions;
    $load->back('at the beginning', 5 * $slow);

    my $killed = $s->master;
    my $at = time;
    $s->kill($killed);
    $s->moved($killed);
    $load->back('a master killed, and another promoted', 8 * $slow, $at);
    $s->start($killed);
    $s->well or die 'not well';
    is($killed->clients, 0, 'one that comes back as a replica has no connection of ours');

    my $paused = $s->master;
    $at = time;
    $s->pause($paused);
    $s->moved($paused);
    $load->back('a master that hung, and another promoted', 8 * $slow, $at);
    $s->resume($paused);
    $s->well or die 'not well';
    $load->back('the deposed master is back', 2 * $slow);
    is($paused->clients, 0, 'it has no connection of ours');

    $promotions = $s->promotions - $promotions;

    if ($promotions == 2) {
        $load->check(20);
        last;
    }

    diag("$promotions masters were replaced, two of them gone");
    $load->stop;
    fail('only those that are gone are replaced') if $round == 3;
}


# a master that becomes a replica behind the Sentinels' back

my ($master, $other) = ($s->master, $s->replicas);
$mark = $t->mark;
$master->cmd('REPLICAOF', '127.0.0.1', $other->{port});
is($t->api('PUT', 'orders/D-1', $t->order)->{status}, 503, 'a deposed master writes nothing');
ok(wait_for(sub { $t->log_since($mark) =~ /READONLY|role is "slave" instead of "master", querying Sentinel again/ }, 'the log'), 'READONLY: it is left, and Sentinel asked');
ok($s->well(30), 'the Sentinels repair it');
ok($t->serves, 'and service is back');


# Sentinels go, one by one

my @sentinels = @{$s->{sentinels}};
$mark = $t->mark;

for my $gone (0 .. 2) {
    $s->kill($sentinels[$gone]);
    is($t->confirm($t->link("E-$gone"))->{status}, 200, ($gone + 1) . ' of 3 Sentinels gone: nobody notices');
}

$master = $s->{servers}[(grep { $s->{servers}[$_]->info('replication')->{role} eq 'master' } 0 .. 2)[0]];
$master->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
ok($t->serves, 'nor when connections to the master that was known last are made anew');
ok(wait_for(sub { $t->log_since($mark) =~ /\[error\].*mpk_redis Sentinel of redis\+sentinel:.*connect\(\) to/ }, 'the log'), 'though the log says so');
$s->start($_) for @sentinels;
ok($s->well(30), 'the Sentinels are back');
$s->failover;
ok($t->serves, 'and are followed again');
ok($s->well(30), 'they agree on the master');
ok($t->quit, 'quit');


# what the log says

sub says {
    my ($name, $redis, $what) = @_;
    my $mark = $t->mark;
    $t->conf(redis => $redis)->start;
    is($t->api('GET', 'orders/A-1')->{status}, 503, "$name: 503");
    ok(wait_for(sub { $t->log_since($mark) =~ $what }, 'the log', 5), "$name: the log has the remedy") or diag($t->log_since($mark));
    is($t->get('/')->{body}, "shop\n", 'I6: the rest of the site is served');
    ok($t->quit, 'quit');
}

my $password = "password_file=$dir/password";
says('no password of the Sentinels', $s->url . " $password", qr/Sentinel requires a password, set sentinel_password_file=/);
says('a wrong one', $s->url . " $password sentinel_password_file=$dir/password", qr/compare sentinel_user= and sentinel_password_file=/);
(my $unknown = $s->url) =~ s/mymaster/yours/;
says('another master', "$unknown $options", qr/Sentinel does not know master "yours", compare the URL with "sentinel monitor"/);
says('no Sentinel there', "redis+sentinel://127.0.0.1:$dead/mymaster $options", qr/connect\(\) to 127\.0\.0\.1:$dead failed/);
says('a Redis instead of a Sentinel', "redis+sentinel://127.0.0.1:$s->{servers}[0]{port}/mymaster $password sentinel_password_file=$dir/password",
    qr/SENTINEL was refused with "ERR unknown command/);


# the least rights of a Sentinel's user that docs/operations.md gives

my ($rights) = do { local (@ARGV, $/) = 'docs/operations.md'; <> } =~ /A Sentinel's user: `([^`]+)`/ or die 'no rights';
my $watch = "$password sentinel_user=watch sentinel_password_file=" . $t->write('watch', "sesame\n", 0600) . ' timeout=500ms';

sub may { my (@rights) = @_; $_->cmd('ACL', 'SETUSER', 'watch', 'reset', 'on', '>sesame', @rights) for @{$s->{sentinels}} }

may(split ' ', $rights);
$t->conf(redis => $s->url . " $watch")->start;
ok($t->serves, 'the least rights that docs/operations.md gives suffice');
$s->failover;
ok($s->well && $t->serves, 'a failover');
is($s->master->clients, 1, 'is followed');
ok($t->quit, 'quit');

# who may not listen asks when the master has gone; the order was filed since the last failover

for my $right (grep { !/^-/ } split ' ', $rights) {
    may(grep { $_ ne $right } split ' ', $rights);
    my $mark = $t->mark;
    $t->conf(redis => $s->url . " $watch")->start;
    is(wait_for(sub { $t->api('GET', 'orders/S-0')->{status} == 200 }, undef, 1), $right =~ /sentinel/ ? 0 : 1,
        "without $right: " . ($right =~ /sentinel/ ? '503' : 'orders are told'));
    ok(wait_for(sub { $t->log_since($mark) =~ /grant the Sentinel user \+sentinel\|get-master-addr-by-name, \+subscribe and &\+switch-master/ }, 'the log', 5), 'and the log has the remedy');
    ok($t->quit, 'quit');
}


# a Sentinel that tells nonsense, and then what is right

$s->well or die "not well";
my $where = $s->master->{port};
my $right = "*2\r\n\$9\r\n127.0.0.1\r\n\$" . length($where) . "\r\n$where\r\n";
my $subscribed = "*3\r\n\$9\r\nsubscribe\r\n\$14\r\n+switch-master\r\n:1\r\n";

my $fake = Mpk::FakeRedis->new(test => $t, script => sub {
    my ($words) = @_;
    my ($what, $bytes) = split / /, $t->read('mode'), 2;
    open my $asked, '>>', "$dir/asked";
    print $asked "$words->[0]\n";
    $bytes =~ s/\\r\\n/\r\n/g if defined $bytes;
    return uc $words->[0] eq 'SENTINEL' ? ($what eq 'master' ? $bytes : $right)
        : $subscribed . ($what eq 'push' ? $bytes : '');
});

my ($slave) = map { $_->{port} } $s->replicas;

my %nonsense = (
    'no answer that Sentinel gives' => 'master +OK\r\n',
    'a name' => 'master *2\r\n$7\r\nredis-1\r\n$4\r\n6379\r\n',
    'no port' => 'master *2\r\n$9\r\n127.0.0.1\r\n$1\r\nx\r\n',
    'a port that is none' => 'master *2\r\n$9\r\n127.0.0.1\r\n$5\r\n65536\r\n',
    'one word' => 'master *1\r\n$9\r\n127.0.0.1\r\n',
    'no RESP' => 'master hello\r\n',
    'a replica' => 'master *2\r\n$9\r\n127.0.0.1\r\n$' . length($slave) . '\r\n' . $slave . '\r\n',
);

for my $what (sort keys %nonsense) {
    $fake->mode($nonsense{$what});
    $t->conf(redis => "redis+sentinel://127.0.0.1:$fake->{port}/mymaster $password timeout=500ms")->start;
    is($t->api('GET', 'orders/nobody')->{status}, 503, "a Sentinel that answers with $what: 503");
    $fake->mode('good');
    ok(wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 }, 'the right answer', 10), 'the right answer, and service is back');
    ok($t->quit, 'quit');
}

my $to = sub { join '\r\n', '*3', '$7', 'message', '$14', '+switch-master', '$' . length $_[0], "$_[0]\\r\\n" };

for my $push ('+what\r\n', '*1\r\n:1\r\n', $to->('mymaster'), $to->("mymaster a 1 b 2"), $to->('yours 127.0.0.1 1 127.0.0.1 2'),
    $to->('mymaster 127.0.0.1 1 127.0.0.1 99999')) {
    $fake->mode("push $push");
    $t->conf(redis => "redis+sentinel://127.0.0.1:$fake->{port}/mymaster $password timeout=500ms")->start;
    ok($t->serves, "news that is none changes nothing: $push");
    ok($t->quit, 'quit');
}

# a master that Sentinels can't reach, though we can: it is left on their word

my $other_master = $t->redis(name => 'elsewhere', tcp => 1, args => [ '--requirepass', 'sesame' ], password => 'sesame');
$fake->mode('push ' . $to->("mymaster 127.0.0.1 $where 127.0.0.1 $other_master->{port}"));
$t->conf(redis => "redis+sentinel://127.0.0.1:$fake->{port}/mymaster $password timeout=500ms")->start;
ok(wait_for(sub { $other_master->clients == 1 }, 'the new master'), '+switch-master alone makes a worker move');
is($t->api('PUT', 'orders/N-1', $t->order)->{status}, 201, 'and file there');
is($other_master->cmd('EXISTS', grep { /:o:N-1$/ } @{$other_master->cmd('KEYS', '*')}), 1, 'not with the old one');
ok($t->quit, 'quit');

# a master that was away and is back, with nobody in its place

$fake->mode('master ' . $right =~ s/\Q$where\E/$other_master->{port}/r =~ s/\r\n/\\r\\n/gr);
$t->conf(redis => "redis+sentinel://127.0.0.1:$fake->{port}/mymaster $password connect_timeout=20s")->start;
is($t->api('GET', 'orders/N-1')->{status}, 200, 'a master');
$other_master->stop('KILL');
my $before = () = $t->read('asked') =~ /SENTINEL/g;
ok(wait_for(sub { my $n = () = $t->read('asked') =~ /SENTINEL/g; $n > $before + 4 }, 'questions', 20), 'is away for a while');
$other_master->start;
ok(wait_for(sub { $t->api('GET', 'orders/N-1')->{status} == 200 }, 'the master', 10), 'and back: a Sentinel is asked, and names it again');
ok($t->quit, 'quit');

# from here on the test is the only Sentinel, and answers when it likes: $asked is the worker's
# connection to it

my ($listen, $asked);

sub told {
    my ($options, %conf) = @_;
    $listen = IO::Socket::INET->new(Listen => 4, LocalAddr => '127.0.0.1', ReuseAddr => 1, Timeout => 30) or die "listen: $!";
    $t->conf(redis => 'redis+sentinel://127.0.0.1:' . $listen->sockport . "/mymaster $password $options", %conf)->start;
    asked();
}

sub asked {
    my $next = $listen->accept or die 'no question';
    close $asked if $asked;
    $asked = $next;
    sysread $asked, my $question, 4096;
}

sub nobody_asked { is(scalar IO::Select->new($listen)->can_read(0.5), undef, $_[0]) }

sub text {
    my ($order, $method, $body) = @_;
    return Mpk::Http::text($method // 'GET', "/mpk/v1/orders/$order", headers => { Authorization => "Bearer $t->{token}",
        'Content-Type' => 'application/json' }, $body ? (body => JSON::PP::encode_json($body)) : ());
}

# get(order): asks the edge, and does not wait
sub get {
    my ($order) = @_;
    my $client = Mpk::Http::connection($t->port('edge'));
    syswrite $client, text($order);
    return $client;
}

# status(client, answer): of what it is told, while Sentinels go on giving this answer
sub status {
    my ($client, $answer) = @_;
    my $any = IO::Select->new($client, $answer ? $listen : ());

    while (my @ready = $any->can_read(15)) {
        last if grep { $_ == $client } @ready;
        asked();
        syswrite $asked, $answer;
        sleep 0.02;
        syswrite $asked, $subscribed;
    }

    my $r = Mpk::Http::response($client);
    close $client;
    return $r->{status};
}

# stand_still(): the worker does, until it is told to go on
sub stand_still {
    my ($worker) = $t->workers;
    kill 'STOP', $worker;
    wait_for(sub { open my $f, '<', "/proc/$worker/stat" or return 0; <$f> =~ /\) T / }, 'the worker stands still');
    return $worker;
}

sub silent { my ($client, $name) = @_; is(scalar IO::Select->new($client)->can_read(0.3), undef, $name) }

my $elsewhere = $right =~ s/\Q$where\E/$other_master->{port}/r;
my ($here) = grep { $_->{port} == $where } @{$s->{servers}};

# that word and a request: a worker that stands still finds both at once

told('connect_timeout=20s timeout=20s');
syswrite $asked, $right . $subscribed;
my $client = Mpk::Http::connection($t->port('edge'));
my $ask = Mpk::Http::text('GET', '/mpk/v1/orders/N-1', headers => { Authorization => "Bearer $t->{token}" }, keepalive => 1);
syswrite $client, $ask;
is(Mpk::Http::response($client)->{status}, 404, 'the old master is asked');
my $worker = stand_still();
syswrite $client, $ask;
syswrite $asked, $to->("mymaster 127.0.0.1 $where 127.0.0.1 $other_master->{port}") =~ s/\\r\\n/\r\n/gr;
kill 'CONT', $worker;
is(Mpk::Http::response($client)->{status}, 200, 'what comes with it is asked of the new one, though nothing is under way at the old one');
close $client;
ok($t->quit, 'quit');

# that word behind a client that goes in the middle of its answer, and leaves something to be
# recorded: by then it has gathered for the old master, where nothing is under way

told('connect_timeout=20s timeout=20s', listen => 'sndbuf=16k');
syswrite $asked, $right . $subscribed;
$t->file('G-1', items => [ map { { sku => "S-$_", product => "P $_", key => "XK7QX$_-" . 'x' x 500 } } 1 .. 500 ]);
my $link = $t->mint('G-1');
$client = $t->confirming($link, $t->nonce($link), 2048);
ok(wait_for(sub { $t->events('G-1') =~ /viewed/ }, 'the view'), 'an answer has begun');
my $reads = $here->calls('hmget');
$worker = stand_still();
Mpk::Http::slam($client);
syswrite $asked, $to->("mymaster 127.0.0.1 $where 127.0.0.1 $other_master->{port}") =~ s/\\r\\n/\r\n/gr;
kill 'CONT', $worker;
is($t->api('GET', 'orders/N-1')->{status}, 200, 'the worker moves');
is($here->calls('hmget'), $reads, 'and what had gathered is not sent to the old master');
ok($t->quit, 'quit');

# while a command is under way

told('connect_timeout=20s timeout=20s');
syswrite $asked, $elsewhere . $subscribed;
is($t->api('GET', 'orders/N-1')->{status}, 200, 'a master');
$other_master->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
ok(wait_for(sub { $other_master->clients == 1 }, 'the connection'), 'was lost');
is(status(get('N-1'), $elsewhere), 200, 'and is back');
$other_master->pause;
$client = get('nobody');
Mpk::Http::taken($client);
syswrite $asked, $to->("mymaster 127.0.0.1 $other_master->{port} 127.0.0.1 $where") =~ s/\\r\\n/\r\n/gr;
ok(wait_for(sub { $t->read('error.log') =~ /the master is 127\.0\.0\.1:$where\n.*\z/ }, 'the news'), 'another is promoted');
$other_master->resume;
is(status($client), 404, 'what is under way is answered by the old one');
is(status(get('N-1')), 404, 'the new one is asked from then on');
nobody_asked('and no other Sentinel, who may not have heard of it yet');
ok($t->quit, 'quit');

told('connect_timeout=20s timeout=20s');
syswrite $asked, $elsewhere . $subscribed;
is(status(get('N-1')), 200, 'a master');
$other_master->pause;
$client = get('nobody');
Mpk::Http::taken($client);
syswrite $asked, $to->("mymaster 127.0.0.1 $other_master->{port} 127.0.0.1 $where") =~ s/\\r\\n/\r\n/gr;
ok(wait_for(sub { $t->read('error.log') =~ /the master is 127\.0\.0\.1:$where\n.*\z/ }, 'the news'), 'another is promoted');
$other_master->stop('KILL');
is(status($client), 503, 'what is under way is lost with the old one');
ok(wait_for(sub { status(get('N-1')) == 404 }, 'the new master'), 'the new one is asked from then on');
nobody_asked('and is not doubted because the old one has gone');
ok($t->quit, 'quit');
$other_master->start;

# a master that comes back takes itself for one, though another was promoted meanwhile

told('connect_timeout=20s timeout=20s');
syswrite $asked, $right . $subscribed;
is(status(get('N-1')), 404, 'a master is asked whom a Sentinel has named');

for ([ $right, 404, 'one that is named again is asked again' ], [ $elsewhere, 200, 'one that is not named again is not' ]) {
    my ($answer, $status, $name) = @$_;
    ok(wait_for(sub { $here->clients == 1 }, 'the connection'), 'connected');
    $here->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    asked();
    ok(wait_for(sub { $here->clients == 1 }, 'the connection'), 'it is connected to at once');
    $client = get('N-1');
    silent($client, 'but nothing is asked until a Sentinel has answered');
    syswrite $asked, $answer . $subscribed;
    is(status($client, $answer), $status, $name);
}

ok($t->quit, 'quit');

told('connect_timeout=20s timeout=20s');
syswrite $asked, $right . $subscribed;
is(status(get('N-1')), 404, 'a master');
$here->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
asked();

for (1 .. 2) {
    ok(wait_for(sub { $here->clients == 1 }, 'the connection'), 'is lost, and back');
    $here->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes') if $_ == 1;
}

$client = get('N-1');
syswrite $asked, $right . $subscribed;
is(status($client, $elsewhere), 200, 'whom a Sentinel named before is not believed: it is asked again');
ok($t->quit, 'quit');

told('connections=2 connect_timeout=20s timeout=1s');
syswrite $asked, $elsewhere . $subscribed;
ok(wait_for(sub { $other_master->clients == 2 }, 'the connections'), 'two connections');
$other_master->pause;
is(status(get('N-1')), 503, 'the master hangs');
asked();
$other_master->resume;
$client = get('N-1');
silent($client, 'its idle connection is not believed, either');
syswrite $asked, $right . $subscribed;
is(status($client, $right), 404, 'what it would have been asked goes to the next one');
ok($t->quit, 'quit');

# an idle connection to a Sentinel is pinged; its messages may come before the reply

told('connect_timeout=20s timeout=5s');
syswrite $asked, $elsewhere . $subscribed;
is(status(get('N-1')), 200, 'a master');
ok(IO::Select->new($asked)->can_read(15), 'an idle connection to a Sentinel');
sysread $asked, my $ping, 4096;
is($ping, "*1\r\n\$4\r\nPING\r\n", 'is pinged');
my $switch = "mymaster 127.0.0.1 $other_master->{port} 127.0.0.1 $where";
syswrite $asked, "*3\r\n\$7\r\nmessage\r\n\$14\r\n+switch-master\r\n\$" . length($switch) . "\r\n$switch\r\n" . "*2\r\n\$4\r\npong\r\n\$0\r\n\r\n";
ok(wait_for(sub { status(get('N-1')) == 404 }, 'the other master'), 'a message before the reply is taken');
nobody_asked('and the connection stays');
ok(IO::Select->new($asked)->can_read(15), 'it is pinged again');
asked();
ok(1, 'without a reply another is made');
ok($t->quit, 'quit');

# nobody answers

told('connect_timeout=20s timeout=20s');
syswrite $asked, $elsewhere . $subscribed;
is(status(get('N-1')), 200, 'a master');
ok(wait_for(sub { $other_master->clients == 1 }, 'the connection'), 'connected');
$mark = $t->mark;
close $listen;
close $asked;
$other_master->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
ok(wait_for(sub { status(get('N-1')) == 200 }, 'the master', 10), 'no Sentinel is left: the master is taken for one');
ok(wait_for(sub { $t->log_since($mark) =~ /\[warn\].*no Sentinel confirmed that 127\.0\.0\.1:\d+ is still a master, using it anyway/ }, 'the log'),
    'and the log says so');
ok($t->quit, 'quit');

# a worker that shuts down asks nobody, and finishes what it has begun

for my $signal ('HUP', 'QUIT') {
    told('connect_timeout=20s timeout=20s');
    syswrite $asked, $elsewhere . $subscribed;
    is(status(get('N-1')), 200, 'a master');
    $other_master->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    ok(wait_for(sub { $other_master->clients == 1 }, 'the connection'), 'was lost');
    is(status(get('N-1'), $elsewhere), 200, 'and is back');
    my $put = text("X-$signal", 'PUT', $t->order);
    $client = Mpk::Http::connection($t->port('edge'));
    syswrite $client, substr $put, 0, -10;
    Mpk::Http::taken($client);
    $mark = $t->mark;
    kill $signal, $t->{nginx};
    ok(wait_for(sub { $t->log_since($mark) =~ /gracefully shutting down/ && $other_master->clients == 0 }, 'the old worker', 30), "$signal closes what is idle");
    syswrite $client, substr $put, -10;
    is(status($client), 201, 'what is under way is committed, on a connection that is made anew');
    ok($t->quit, 'quit');
}


# TLS

my $certs = Mpk::Tls->new($t);
$certs->certificate('node', 'redis.example', 'IP:127.0.0.1,DNS:redis.example');
my $tls = Mpk::Sentinels->new($t, name => 'tls', tls => $certs);
$t->conf(redis => $tls->url . " tls_ca=$dir/ca.pem connect_timeout=5s")->start;
is($t->confirm($t->link('T-1'))->{status}, 200, 'TLS to Sentinels and to the master, by their addresses');
$tls->failover;
ok($t->serves, 'and to the next one');
ok($t->quit, 'quit');
$t->conf(redis => $tls->url . " tls_ca=$dir/ca.pem tls_name=redis.example connect_timeout=5s")->start;
is($t->confirm($t->link('T-2'))->{status}, 200, 'or by tls_name');
ok($t->quit, 'quit');
says('another CA', $tls->url . " tls_ca=$dir/evil.pem", qr/certificate verify/);
says('another name', $tls->url . " tls_ca=$dir/ca.pem tls_name=other.example", qr/certificate does not match "other\.example", set tls_name=/);


# nginx -t

my %refused = (
    'redis+sentinel://h' => qr/must end with the master's name/,
    'redis+sentinel://127.0.0.1:1/' => qr/must end with the master's name/,
    'redis+sentinel://127.0.0.1:1/mymaster/x' => qr/number of a database/,
    'redis+sentinel:///mymaster' => qr/no host/,
    'redis+sentinel://127.0.0.1:1,/mymaster' => qr/no host/,
    'redis+sentinel://127.0.0.1:99999/mymaster' => qr/invalid port/,
    'redis+sentinel://user:pw@127.0.0.1/mymaster' => qr/must contain no user and no password/,
    'rediss+sentinel://127.0.0.1/mymaster' => qr/needs tls_ca=/,
    'redis+sentinel://127.0.0.1/mymaster sentinel_user=x' => qr/needs sentinel_password_file= too/,
    'redis://127.0.0.1 sentinel_user=x' => qr/names no Sentinels: use redis\+sentinel:/,
    "redis+cluster://127.0.0.1 sentinel_password_file=$dir/guard" => qr/names no Sentinels/,
    "redis+sentinel://127.0.0.1/mymaster sentinel_password_file=$dir/none" => qr/sentinel_password_file=.*can't be opened/,
    join(',', 'redis+sentinel://127.0.0.1', map { "127.0.0.1:$_" } 1 .. 64) . '/mymaster' => qr/more than 64 addresses/,
);

for my $url (sort keys %refused) {
    $t->conf(redis => $url);
    my ($good, $out) = $t->check;
    ok(!$good && $out =~ $refused{$url} && $out =~ /nginx\.conf:\d+/, substr($url, 0, 60) . ' is refused, with the remedy') or diag($out);
}

for my $url ('redis+sentinel://127.0.0.1/mymaster', 'redis+sentinel://127.0.0.1:26379,[::1]:26380/mymaster/3') {
    $t->conf(redis => $url);
    my ($good, $out) = $t->check;
    ok($good, "$url is taken") or diag($out);
}

$t->finish(alerts => qr/\[emerg\]/);
