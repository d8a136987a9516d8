#!/usr/bin/env escript
%%! -noshell
%% Runs supervision scenarios on OTP itself and prints what happened.
%%
%% Reads one Erlang term a scenario from standard input, prints its event log, one event a line, and
%% closes it with a line "end". Only public modules of OTP are used. All workers trap exits.
%%
%%   scenario  {scenario, Top, Steps}
%%   Top       a body: {sup, Strategy, Intensity, AutoShutdown, Children} | {dynamic, Intensity, Restart}
%%   Children  [{child, Name, Restart, Significant, Shutdown, Body}]
%%   Body      {worker, Inits} | {sup, ...} | {dynamic, ...}
%%   Inits     how the first, second, ... init ends: ok | ignore | crash | stop; later ones: ok
%%
%% After each step everything comes to rest before the next one: no supervisor lists a dead or a
%% restarting child, and nothing is logged between two looks.
-mode(compile).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2, start/2]).

-define(PERIOD, 3600).

main(_) ->
    ok = logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    ets:new(oracle, [named_table, public, ordered_set]),
    loop().

loop() ->
    case io:read("") of
        {ok, {scenario, Top, Steps}} ->
            scenario(Top, Steps),
            io:put_chars("end\n"),
            loop();
        eof ->
            ok
    end.

scenario(Top, Steps) ->
    ets:delete_all_objects(oracle),
    ets:insert(oracle, {{count}, 0}),
    case start(top, Top) of
        {ok, Pid} ->
            log("start ok", []),
            Monitor = monitor(process, Pid),
            lists:foreach(fun(Step) -> step(Step), rest(), heard(Monitor) end, Steps),
            case ets:lookup(oracle, {down}) of
                [] ->
                    exit(Pid, shutdown),
                    receive
                        {'DOWN', Monitor, process, _, Reason} -> log("down ~s", [word(Reason)])
                    end;
                _ ->
                    ok
            end;
        Answer ->
            log("start ~s", [answer(Answer)])
    end,
    flush(),
    [io:put_chars([Line, $\n]) || {{log, _}, Line} <- ets:tab2list(oracle)].

heard(Monitor) ->
    receive
        {'DOWN', Monitor, process, _, Reason} ->
            ets:insert(oracle, {{down}, true}),
            log("down ~s", [word(Reason)])
    after 0 -> ok
    end.

flush() ->
    receive
        _ -> flush()
    after 0 -> ok
    end.

log(Format, Arguments) ->
    Number = ets:update_counter(oracle, {count}, 1),
    ets:insert(oracle, {{log, Number}, io_lib:format(Format, Arguments)}).

%% ---- steps ----------------------------------------------------------------------------------

step({'exit', Name, Kind}) ->
    finish(Name, Kind);
step({together, Sup, Ends}) ->
    case pid(Sup) of
        undefined ->
            log("not running", []);
        Pid ->
            ok = sys:suspend(Pid),
            [finish(Name, Kind) || {Name, Kind} <- Ends],
            ok = sys:resume(Pid)
    end;
step({start_child, Sup, Child}) ->
    request(Sup, fun(Pid) -> supervisor:start_child(Pid, spec(Child)) end);
step({start_dynamic, Sup, Name, Inits}) ->
    request(Sup, fun(Pid) -> supervisor:start_child(Pid, [Name, {worker, Inits}]) end);
step({terminate_child, Sup, Name}) ->
    request(Sup, fun(Pid) -> supervisor:terminate_child(Pid, Name) end);
step({terminate_dynamic, Sup, Name}) ->
    case ets:lookup(oracle, {pid, Name}) of
        [{_, Child}] -> request(Sup, fun(Pid) -> supervisor:terminate_child(Pid, Child) end);
        [] -> log("not running", [])
    end;
step({restart_child, Sup, Name}) ->
    request(Sup, fun(Pid) -> supervisor:restart_child(Pid, Name) end);
step({delete_child, Sup, Name}) ->
    request(Sup, fun(Pid) -> supervisor:delete_child(Pid, Name) end);
step({get_childspec, Sup, Name}) ->
    request(Sup, fun(Pid) -> supervisor:get_childspec(Pid, Name) end);
step({which_children, Sup}) ->
    request(Sup, fun(Pid) -> {children, supervisor:which_children(Pid)} end);
step({count_children, Sup}) ->
    request(Sup, fun(Pid) -> {counts, supervisor:count_children(Pid)} end).

finish(Name, Kind) ->
    case pid(Name) of
        undefined ->
            log("not running", []);
        Pid ->
            Monitor = monitor(process, Pid),
            case Kind of
                kill -> exit(Pid, kill);
                _ -> gen_server:cast(Pid, {finish, Kind})
            end,
            receive
                {'DOWN', Monitor, process, _, _} -> ok
            end
    end.

request(Sup, Ask) ->
    case pid(Sup) of
        undefined ->
            log("answer noproc", []);
        Pid ->
            try Ask(Pid) of
                Answer -> log("answer ~s", [answer(Answer)])
            catch
                exit:_ -> log("answer noproc", [])
            end
    end.

pid(Name) ->
    case ets:lookup(oracle, {pid, Name}) of
        [{_, Pid}] ->
            case is_process_alive(Pid) of
                true -> Pid;
                false -> undefined
            end;
        [] ->
            undefined
    end.

%% ---- coming to rest ---------------------------------------------------------------------------

rest() -> rest(-1).

rest(Before) ->
    Supervisors = [Pid || {{sup, Pid}} <- ets:tab2list(oracle), is_process_alive(Pid)],
    Calm = lists:all(fun calm/1, Supervisors),
    [{_, Count}] = ets:lookup(oracle, {count}),
    case Calm andalso Count =:= Before of
        true ->
            ok;
        false ->
            timer:sleep(1),
            rest(case Calm of true -> Count; false -> -1 end)
    end.

calm(Supervisor) ->
    try
        lists:all(
            fun({_, Child, _, _}) ->
                Child =:= undefined orelse (is_pid(Child) andalso is_process_alive(Child))
            end,
            supervisor:which_children(Supervisor))
    catch
        exit:_ -> false
    end.

%% ---- words ------------------------------------------------------------------------------------

word(normal) -> "normal";
word(shutdown) -> "shutdown";
word(killed) -> "killed";
word({shutdown, {failed_to_start_child, Name, Reason}}) ->
    io_lib:format("failed(~s, ~s)", [Name, word(Reason)]);
word({shutdown, _}) -> "shutdown_detail";
word(_) -> "crash".

answer(ok) -> "ok";
answer(ignore) -> "ignore";
answer({ok, undefined}) -> "ok none";
answer({ok, Pid}) when is_pid(Pid) -> "ok";
answer({ok, #{restart := Restart, shutdown := Shutdown, significant := Significant, type := Type}}) ->
    io_lib:format("~s ~w ~s ~s", [Restart, Shutdown, Significant, Type]);
answer({error, {already_started, _}}) -> "already_started";
answer({error, simple_one_for_one}) -> "unsupported";
answer({error, {bad_combination, _}}) -> "refused bad_combination";
answer({error, {start_spec, {duplicate_child_name, _}}}) -> "refused duplicate_id";
answer({error, {start_spec, {bad_combination, _}}}) -> "refused bad_combination";
answer({error, {supervisor_data, {invalid_strategy, _}}}) -> "refused bad_strategy";
answer({error, {supervisor_data, {invalid_intensity, _}}}) -> "refused bad_intensity";
answer({error, {supervisor_data, {bad_combination, _}}}) -> "refused bad_auto_shutdown";
answer({error, {supervisor_data, {invalid_auto_shutdown, _}}}) -> "refused bad_auto_shutdown";
answer({error, {What, Child}}) when is_tuple(Child), element(1, Child) =:= child ->
    io_lib:format("error ~s", [word(What)]);
answer({error, Known}) when
    Known =:= already_present; Known =:= running; Known =:= restarting; Known =:= not_found
->
    atom_to_list(Known);
answer({error, Reason}) ->
    io_lib:format("error ~s", [word(Reason)]);
answer({children, Children}) ->
    Lines = [io_lib:format("~s=~s/~s", [Name, state(Child), Type]) || {Name, Child, Type, _} <- Children],
    lists:join(" ", Lines);
answer({counts, Counts}) ->
    lists:join(" ", [integer_to_list(proplists:get_value(Key, Counts))
                     || Key <- [specs, active, supervisors, workers]]).

state(undefined) -> "stopped";
state(restarting) -> "restarting";
state(Pid) when is_pid(Pid) -> "running".

%% ---- supervisors and workers --------------------------------------------------------------------

spec({child, Name, Restart, Significant, Shutdown, Body}) ->
    Spec = #{id => Name,
             start => {?MODULE, start, [Name, Body]},
             restart => Restart,
             significant => Significant,
             type => type(Body)},
    case Shutdown of
        default -> Spec;
        _ -> Spec#{shutdown => Shutdown}
    end.

type({worker, _}) -> worker;
type(_) -> supervisor.

start(Name, {worker, Inits}) ->
    gen_server:start_link(?MODULE, {worker, Name, Inits}, []);
start(Name, Body) ->
    supervisor:start_link(?MODULE, {Name, Body}).

init({worker, Name, Inits}) ->
    process_flag(trap_exit, true),
    Number = ets:update_counter(oracle, {starts, Name}, 1, {{starts, Name}, 0}),
    log("init ~s", [Name]),
    Outcome = case Number =< length(Inits) of
        true -> lists:nth(Number, Inits);
        false -> ok
    end,
    case Outcome of
        ok ->
            ets:insert(oracle, {{pid, Name}, self()}),
            {ok, Name};
        ignore -> ignore;
        crash -> error(boom);
        stop -> {stop, {shutdown, refused}}
    end;
init({Name, Body}) ->
    log("init ~s", [Name]),
    ets:insert(oracle, {{pid, Name}, self()}),
    ets:insert(oracle, {{sup, self()}}),
    case Body of
        {sup, Strategy, Intensity, AutoShutdown, Children} ->
            Flags = #{strategy => Strategy, intensity => Intensity, period => ?PERIOD,
                      auto_shutdown => AutoShutdown},
            {ok, {Flags, [spec(Child) || Child <- Children]}};
        {dynamic, Intensity, Restart} ->
            Flags = #{strategy => simple_one_for_one, intensity => Intensity, period => ?PERIOD},
            {ok, {Flags, [#{id => template, start => {?MODULE, start, []}, restart => Restart}]}}
    end.

handle_call(_, _, Name) -> {reply, ok, Name}.

handle_cast({finish, normal}, Name) -> {stop, normal, Name};
handle_cast({finish, shutdown}, Name) -> {stop, shutdown, Name};
handle_cast({finish, shutdown_detail}, Name) -> {stop, {shutdown, detail}, Name};
handle_cast({finish, crash}, _) -> error(boom).

handle_info(_, Name) -> {noreply, Name}.

terminate(Reason, Name) -> log("terminate ~s ~s", [Name, word(Reason)]).
