namespace Bnb.Engine.Events;

/// <summary>The levels as verbs.</summary>
internal static class RunEventsExtensions
{
    public static void Warning(this IRunEvents events, string text) => events.Message(MessageLevel.Warning, text);

    public static void Information(this IRunEvents events, string text) => events.Message(MessageLevel.Information, text);

    public static void Debug(this IRunEvents events, string text) => events.Message(MessageLevel.Debug, text);
}
