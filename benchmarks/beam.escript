#!/usr/bin/env escript
%% The rows of the benchmarks on OTP. Reads terms {Row, Count} and answers each with one line:
%% the seconds (or bytes) of one of Count. Each row runs in a process of its own.
-mode(compile).
-export([init/1, handle_call/3, handle_cast/2]).

main(_) ->
    ok = logger:set_primary_config(level, none),
    serve().

serve() ->
    case io:read("") of
        {ok, {Row, Count}} ->
            Owner = self(),
            {Pid, Monitor} = spawn_monitor(fun() ->
                process_flag(trap_exit, true),
                Owner ! {self(), row(Row, Count)}
            end),
            receive
                {Pid, Figure} ->
                    erlang:demonitor(Monitor, [flush]),
                    io:format("~.12e~n", [float(Figure)]);
                {'DOWN', Monitor, process, Pid, Reason} ->
                    io:format("~0p~n", [{failed, Row, Reason}])
            end,
            serve();
        eof ->
            ok
    end.

row(tell, Count) ->
    Server = server(),
    timed(Count, fun() ->
        repeat(Count, fun(N) -> gen_server:cast(Server, N) end),
        gen_server:call(Server, 0, infinity)
    end);
row(tell_4, Count) ->
    Server = server(),
    Each = fun() -> repeat(Count div 4, fun(N) -> gen_server:cast(Server, N) end) end,
    timed(Count, fun() ->
        Producers = [spawn_monitor(Each) || _ <- [1, 2, 3, 4]],
        [receive {'DOWN', M, process, _, _} -> ok end || {_, M} <- Producers],
        gen_server:call(Server, 0, infinity)
    end);
row(tell_1000, Count) ->
    Servers = [server() || _ <- lists:seq(1, 1000)],
    Took = timed(Count, fun() ->
        repeat(Count div 1000, fun(N) -> [gen_server:cast(S, N) || S <- Servers] end),
        [gen_server:cast(S, {last, self()}) || S <- Servers],
        [receive last -> ok end || _ <- Servers]
    end),
    [gen_server:stop(S) || S <- Servers],
    Took;
row(ping_pong, Count) ->
    {One, Other} = {server(), server()},
    timed(Count, fun() ->
        gen_server:cast(One, {ping, Count, Other, self()}),
        receive last -> ok end
    end);
row(asks_in_flight, Count) ->
    Server = server(),
    timed(Count, fun() ->
        repeat(Count div 1000, fun(_) ->
            Requests = [gen_server:send_request(Server, N) || N <- lists:seq(1, 1000)],
            [{reply, _} = gen_server:receive_response(R, infinity) || R <- Requests]
        end)
    end);
row(ask, Count) ->
    Server = server(),
    timed(Count, fun() ->
        repeat(Count, fun(N) -> gen_server:call(Server, N, infinity) end)
    end);
row(start_and_stop, Count) ->
    timed(Count, fun() -> repeat(Count, fun(_) -> gen_server:stop(server()) end) end);
row(start_child, Count) ->
    Supervisor = dynamic(),
    Took = timed(Count, fun() -> started(Supervisor, Count) end),
    gen_server:stop(Supervisor, shutdown, infinity),
    Took;
row(terminate_child, Count) ->
    Supervisor = dynamic(),
    Children = started(Supervisor, Count),
    Took = timed(Count, fun() ->
        [ok = supervisor:terminate_child(Supervisor, Child) || Child <- Children]
    end),
    gen_server:stop(Supervisor, shutdown, infinity),
    Took;
row(stop_children, Count) ->
    Supervisor = dynamic(),
    started(Supervisor, Count),
    timed(Count, fun() -> gen_server:stop(Supervisor, shutdown, infinity) end);
row(restart, Count) ->
    restarts(one_for_one, 1, Count);
row(restart_logged, Count) ->
    %% The lines that a crash has by default go to a file; each crash has a tree of its own.
    File = filename:join("/tmp", "beam_" ++ os:getpid() ++ ".log"),
    ok = logger:set_primary_config(level, notice),
    ok = logger:remove_handler(default),
    ok = logger:add_handler(default, logger_std_h, #{config => #{file => File}}),
    Samples = [begin forget(), restarts(one_for_one, 1, 1) end || _ <- lists:seq(1, Count)],
    ok = logger:set_primary_config(level, none),
    _ = file:delete(File),
    lists:nth(Count div 2 + 1, lists:sort(Samples));
row(one_for_all, Count) ->
    restarts(one_for_all, 100, Count);
row(bytes, Count) ->
    Supervisor = dynamic(),
    garbage_collect(),
    Before = erlang:memory(total),
    started(Supervisor, Count),
    garbage_collect(),
    garbage_collect(Supervisor),
    Bytes = (erlang:memory(total) - Before) / Count,
    gen_server:stop(Supervisor, shutdown, infinity),
    Bytes.

%% The median of the seconds from a crash of the first child to the init of the last.
restarts(Strategy, Size, Count) ->
    Last = Size,
    Children = [
        #{id => N, start => {gen_server, start_link, [?MODULE, {child, N, Size, self()}, []]}}
     || N <- lists:seq(1, Size)
    ],
    Flags = #{strategy => Strategy, intensity => 10000, period => 1},
    {ok, Supervisor} = supervisor:start_link(?MODULE, {supervisor, Flags, Children}),
    Samples = [
        begin
            First = ready(1),
            Size > 1 andalso ready(Last),
            timed(1, fun() ->
                gen_server:cast(First, crash),
                New = ready(Last),
                self() ! {ready, Last, New}
            end)
        end
     || _ <- lists:seq(1, Count)
    ],
    gen_server:stop(Supervisor, shutdown, infinity),
    lists:nth(Count div 2 + 1, lists:sort(Samples)).

%% What an earlier tree has said is nothing to the next one.
forget() ->
    receive {ready, _, _} -> forget() after 0 -> ok end.

ready(Number) ->
    receive {ready, Number, Pid} -> Pid end.

timed(Count, Fun) ->
    Began = erlang:monotonic_time(nanosecond),
    Fun(),
    (erlang:monotonic_time(nanosecond) - Began) / 1.0e9 / Count.

repeat(0, _) -> ok;
repeat(N, Fun) -> Fun(N), repeat(N - 1, Fun).

server() ->
    {ok, Server} = gen_server:start(?MODULE, server, []),
    Server.

dynamic() ->
    Child = #{id => child, start => {gen_server, start_link, [?MODULE, server, []]}},
    Flags = #{strategy => simple_one_for_one},
    {ok, Supervisor} = supervisor:start_link(?MODULE, {supervisor, Flags, [Child]}),
    Supervisor.

started(Supervisor, Count) ->
    [element(2, {ok, _} = supervisor:start_child(Supervisor, [])) || _ <- lists:seq(1, Count)].

init({supervisor, Flags, Children}) ->
    {ok, {Flags, Children}};
init({child, Number, Size, Owner}) ->
    case Number =:= 1 orelse Number =:= Size of
        true -> Owner ! {ready, Number, self()};
        false -> ok
    end,
    {ok, Number};
init(server) ->
    {ok, 0}.

handle_call(Request, _From, State) -> {reply, Request, State}.

handle_cast(crash, _State) ->
    error(crash);
handle_cast({last, Owner}, State) ->
    Owner ! last,
    {noreply, State};
handle_cast({ping, 0, _Peer, Owner}, State) ->
    Owner ! last,
    {noreply, State};
handle_cast({ping, N, Peer, Owner}, State) ->
    gen_server:cast(Peer, {ping, N - 1, self(), Owner}),
    {noreply, State};
handle_cast(_, State) ->
    {noreply, State}.
